// The products of Winograd's transforms.

import { madd } from "./common";

/**
 * m[36][tiles][wide] = v[36][tiles][depth]·weights[36][wide/8][depth][8], in register tiles of 4 × 8. Unrolled four
 * times, which is a tenth faster: the branches between keep V8 from loading for all four first (see tile.ts).
 */
export function multiply(
  v: usize, inPlane: i32, rowBytes: i32, depth: i32, weights: usize, m: usize, outPlane: i32, wide: i32, tiles: i32,
): void {
  const outRow = wide * 4;
  for (let plane = 0; plane < 36; plane++) {
    for (let o = 0; o < outRow; o += 32) {
      let p0 = v;
      let to = m + o;
      for (let t = 0; t < tiles; t += 4) {
        let p1 = p0 + rowBytes;
        let p2 = p1 + rowBytes;
        let p3 = p2 + rowBytes;
        const next = p3 + rowBytes;
        let w = weights;
        let a00 = f32x4.splat(0);
        let a01 = f32x4.splat(0);
        let a10 = f32x4.splat(0);
        let a11 = f32x4.splat(0);
        let a20 = f32x4.splat(0);
        let a21 = f32x4.splat(0);
        let a30 = f32x4.splat(0);
        let a31 = f32x4.splat(0);
        const end = w + depth * 32;
        for (;;) {
          const w0a = v128.load(w, 0);
          const w1a = v128.load(w, 16);
          const x0a = v128.load32_splat(p0, 0);
          a00 = madd(x0a, w0a, a00);
          a01 = madd(x0a, w1a, a01);
          const x1a = v128.load32_splat(p1, 0);
          a10 = madd(x1a, w0a, a10);
          a11 = madd(x1a, w1a, a11);
          const x2a = v128.load32_splat(p2, 0);
          a20 = madd(x2a, w0a, a20);
          a21 = madd(x2a, w1a, a21);
          const x3a = v128.load32_splat(p3, 0);
          a30 = madd(x3a, w0a, a30);
          a31 = madd(x3a, w1a, a31);
          if (w + 32 == end) break;
          const w0b = v128.load(w, 32);
          const w1b = v128.load(w, 48);
          const x0b = v128.load32_splat(p0, 4);
          a00 = madd(x0b, w0b, a00);
          a01 = madd(x0b, w1b, a01);
          const x1b = v128.load32_splat(p1, 4);
          a10 = madd(x1b, w0b, a10);
          a11 = madd(x1b, w1b, a11);
          const x2b = v128.load32_splat(p2, 4);
          a20 = madd(x2b, w0b, a20);
          a21 = madd(x2b, w1b, a21);
          const x3b = v128.load32_splat(p3, 4);
          a30 = madd(x3b, w0b, a30);
          a31 = madd(x3b, w1b, a31);
          if (w + 64 == end) break;
          const w0c = v128.load(w, 64);
          const w1c = v128.load(w, 80);
          const x0c = v128.load32_splat(p0, 8);
          a00 = madd(x0c, w0c, a00);
          a01 = madd(x0c, w1c, a01);
          const x1c = v128.load32_splat(p1, 8);
          a10 = madd(x1c, w0c, a10);
          a11 = madd(x1c, w1c, a11);
          const x2c = v128.load32_splat(p2, 8);
          a20 = madd(x2c, w0c, a20);
          a21 = madd(x2c, w1c, a21);
          const x3c = v128.load32_splat(p3, 8);
          a30 = madd(x3c, w0c, a30);
          a31 = madd(x3c, w1c, a31);
          if (w + 96 == end) break;
          const w0d = v128.load(w, 96);
          const w1d = v128.load(w, 112);
          const x0d = v128.load32_splat(p0, 12);
          a00 = madd(x0d, w0d, a00);
          a01 = madd(x0d, w1d, a01);
          const x1d = v128.load32_splat(p1, 12);
          a10 = madd(x1d, w0d, a10);
          a11 = madd(x1d, w1d, a11);
          const x2d = v128.load32_splat(p2, 12);
          a20 = madd(x2d, w0d, a20);
          a21 = madd(x2d, w1d, a21);
          const x3d = v128.load32_splat(p3, 12);
          a30 = madd(x3d, w0d, a30);
          a31 = madd(x3d, w1d, a31);
          p0 += 16;
          p1 += 16;
          p2 += 16;
          p3 += 16;
          w += 128;
          if (w == end) break;
        }
        v128.store(to, a00);
        v128.store(to, a01, 16);
        to += outRow;
        v128.store(to, a10);
        v128.store(to, a11, 16);
        to += outRow;
        v128.store(to, a20);
        v128.store(to, a21, 16);
        to += outRow;
        v128.store(to, a30);
        v128.store(to, a31, 16);
        to += outRow;
        p0 = next;
      }
      weights += depth * 32;
    }
    weights += 64; // see planeBytes
    v += inPlane;
    m += outPlane;
  }
}
