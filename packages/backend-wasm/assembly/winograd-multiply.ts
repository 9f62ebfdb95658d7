// The products of Winograd's transforms.

import { madd } from "./common";
import { put4, WIDE } from "./width";

/** m[36][tiles][columns] = v[36][tiles][depth]·weights[36][columns/8][depth][8]. */
export function multiply(
  v: usize, inPlane: i32, rowBytes: i32, depth: i32, weights: usize, m: usize, outPlane: i32, columns: i32, tiles: i32,
): void {
  const outRow = columns * 4;
  const block = depth * 32;
  for (let plane = 0; plane < 36; plane++) {
    let o = 0;
    if (WIDE) {
      for (; o <= outRow - 64; o += 64) {
        multiplyColumns(v, rowBytes, weights, block, m + o, outRow, tiles, true);
        weights += block * 2;
      }
    }
    for (; o < outRow; o += 32) {
      multiplyColumns(v, rowBytes, weights, block, m + o, outRow, tiles, false);
      weights += block;
    }
    weights += 64; // see planeBytes
    v += inPlane;
    m += outPlane;
  }
}

/**
 * Eight columns of one plane, or sixteen, in register tiles of four rows. Unrolled four times, which is a tenth faster:
 * the branches between keep V8 from loading for all four first (see tile.ts).
 */
// @ts-ignore: decorator
@inline
function multiplyColumns(
  p0: usize, rowBytes: i32, weights: usize, block: i32, to: usize, outRow: i32, tiles: i32, wide: bool,
): void {
  const zero = f32x4.splat(0);
  for (let t = 0; t < tiles; t += 4) {
    let p1 = p0 + rowBytes;
    let p2 = p1 + rowBytes;
    let p3 = p2 + rowBytes;
    const next = p3 + rowBytes;
    let w = weights;
    let u = weights + block;
    let a00 = zero;
    let a01 = zero;
    let a02 = zero;
    let a03 = zero;
    let a10 = zero;
    let a11 = zero;
    let a12 = zero;
    let a13 = zero;
    let a20 = zero;
    let a21 = zero;
    let a22 = zero;
    let a23 = zero;
    let a30 = zero;
    let a31 = zero;
    let a32 = zero;
    let a33 = zero;
    const end = w + block;
    for (;;) {
      const w0a = v128.load(w, 0);
      const w1a = v128.load(w, 16);
      const w2a = wide ? v128.load(u, 0) : zero;
      const w3a = wide ? v128.load(u, 16) : zero;
      const x0a = v128.load32_splat(p0, 0);
      a00 = madd(x0a, w0a, a00);
      a01 = madd(x0a, w1a, a01);
      if (wide) a02 = madd(x0a, w2a, a02);
      if (wide) a03 = madd(x0a, w3a, a03);
      const x1a = v128.load32_splat(p1, 0);
      a10 = madd(x1a, w0a, a10);
      a11 = madd(x1a, w1a, a11);
      if (wide) a12 = madd(x1a, w2a, a12);
      if (wide) a13 = madd(x1a, w3a, a13);
      const x2a = v128.load32_splat(p2, 0);
      a20 = madd(x2a, w0a, a20);
      a21 = madd(x2a, w1a, a21);
      if (wide) a22 = madd(x2a, w2a, a22);
      if (wide) a23 = madd(x2a, w3a, a23);
      const x3a = v128.load32_splat(p3, 0);
      a30 = madd(x3a, w0a, a30);
      a31 = madd(x3a, w1a, a31);
      if (wide) a32 = madd(x3a, w2a, a32);
      if (wide) a33 = madd(x3a, w3a, a33);
      if (w + 32 == end) break;
      const w0b = v128.load(w, 32);
      const w1b = v128.load(w, 48);
      const w2b = wide ? v128.load(u, 32) : zero;
      const w3b = wide ? v128.load(u, 48) : zero;
      const x0b = v128.load32_splat(p0, 4);
      a00 = madd(x0b, w0b, a00);
      a01 = madd(x0b, w1b, a01);
      if (wide) a02 = madd(x0b, w2b, a02);
      if (wide) a03 = madd(x0b, w3b, a03);
      const x1b = v128.load32_splat(p1, 4);
      a10 = madd(x1b, w0b, a10);
      a11 = madd(x1b, w1b, a11);
      if (wide) a12 = madd(x1b, w2b, a12);
      if (wide) a13 = madd(x1b, w3b, a13);
      const x2b = v128.load32_splat(p2, 4);
      a20 = madd(x2b, w0b, a20);
      a21 = madd(x2b, w1b, a21);
      if (wide) a22 = madd(x2b, w2b, a22);
      if (wide) a23 = madd(x2b, w3b, a23);
      const x3b = v128.load32_splat(p3, 4);
      a30 = madd(x3b, w0b, a30);
      a31 = madd(x3b, w1b, a31);
      if (wide) a32 = madd(x3b, w2b, a32);
      if (wide) a33 = madd(x3b, w3b, a33);
      if (w + 64 == end) break;
      const w0c = v128.load(w, 64);
      const w1c = v128.load(w, 80);
      const w2c = wide ? v128.load(u, 64) : zero;
      const w3c = wide ? v128.load(u, 80) : zero;
      const x0c = v128.load32_splat(p0, 8);
      a00 = madd(x0c, w0c, a00);
      a01 = madd(x0c, w1c, a01);
      if (wide) a02 = madd(x0c, w2c, a02);
      if (wide) a03 = madd(x0c, w3c, a03);
      const x1c = v128.load32_splat(p1, 8);
      a10 = madd(x1c, w0c, a10);
      a11 = madd(x1c, w1c, a11);
      if (wide) a12 = madd(x1c, w2c, a12);
      if (wide) a13 = madd(x1c, w3c, a13);
      const x2c = v128.load32_splat(p2, 8);
      a20 = madd(x2c, w0c, a20);
      a21 = madd(x2c, w1c, a21);
      if (wide) a22 = madd(x2c, w2c, a22);
      if (wide) a23 = madd(x2c, w3c, a23);
      const x3c = v128.load32_splat(p3, 8);
      a30 = madd(x3c, w0c, a30);
      a31 = madd(x3c, w1c, a31);
      if (wide) a32 = madd(x3c, w2c, a32);
      if (wide) a33 = madd(x3c, w3c, a33);
      if (w + 96 == end) break;
      const w0d = v128.load(w, 96);
      const w1d = v128.load(w, 112);
      const w2d = wide ? v128.load(u, 96) : zero;
      const w3d = wide ? v128.load(u, 112) : zero;
      const x0d = v128.load32_splat(p0, 12);
      a00 = madd(x0d, w0d, a00);
      a01 = madd(x0d, w1d, a01);
      if (wide) a02 = madd(x0d, w2d, a02);
      if (wide) a03 = madd(x0d, w3d, a03);
      const x1d = v128.load32_splat(p1, 12);
      a10 = madd(x1d, w0d, a10);
      a11 = madd(x1d, w1d, a11);
      if (wide) a12 = madd(x1d, w2d, a12);
      if (wide) a13 = madd(x1d, w3d, a13);
      const x2d = v128.load32_splat(p2, 12);
      a20 = madd(x2d, w0d, a20);
      a21 = madd(x2d, w1d, a21);
      if (wide) a22 = madd(x2d, w2d, a22);
      if (wide) a23 = madd(x2d, w3d, a23);
      const x3d = v128.load32_splat(p3, 12);
      a30 = madd(x3d, w0d, a30);
      a31 = madd(x3d, w1d, a31);
      if (wide) a32 = madd(x3d, w2d, a32);
      if (wide) a33 = madd(x3d, w3d, a33);
      p0 += 16;
      p1 += 16;
      p2 += 16;
      p3 += 16;
      w += 128;
      u += 128;
      if (w == end) break;
    }
    put4(to, a00, a01, a02, a03, wide);
    to += outRow;
    put4(to, a10, a11, a12, a13, wide);
    to += outRow;
    put4(to, a20, a21, a22, a23, wide);
    to += outRow;
    put4(to, a30, a31, a32, a33, wide);
    to += outRow;
    p0 = next;
  }
}
