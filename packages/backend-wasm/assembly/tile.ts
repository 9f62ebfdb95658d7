// The inner kernel of convolutions and matrix products: a register tile of 4 pixels × 8 output channels.
//
// V8's instruction selection places all loads of a basic block before its arithmetic, so everything that an
// iteration loads must fit the 15 registers beside the accumulators. 4 × 2 vectors (8 + 4 + 2) without
// unrolling within a block does and reaches 50 GFLOP/s where 6 × 2 unrolled by 4 spills and stays at 32.

import { madd, relu4 } from "./common";

// @ts-ignore: decorator
@inline
function finish(v: v128, scale: usize, bias: usize, residual: usize, offset: usize, relu: bool): v128 {
  if (scale) {
    const s = v128.load(scale);
    v = bias ? madd(v, s, v128.load(bias)) : f32x4.mul(v, s);
  }
  if (residual) v = f32x4.add(v, v128.load(residual + offset));
  return relu ? relu4(v) : v;
}

/** Stores the first n (1 … 8) floats of lo, hi. */
function storeFirst(to: usize, lo: v128, hi: v128, n: i32): void {
  if (n >= 4) {
    v128.store(to, lo);
    to += 16;
    lo = hi;
    n -= 4;
  }
  if (n >= 1) f32.store(to, f32x4.extract_lane(lo, 0));
  if (n >= 2) f32.store(to, f32x4.extract_lane(lo, 1), 4);
  if (n >= 3) f32.store(to, f32x4.extract_lane(lo, 2), 8);
}

/**
 * For each pixel (row, col) of a rows × cols grid and each output channel o:
 *   out = act(scale[o]·Σ_t Σ_k input[t·tapStride + k] · w[o][t][k] + bias[o] + residual), 0 ≤ t < taps, 0 ≤ k < run.
 * Strides are in bytes. w is packed as [⌈channels/8⌉][taps][run][8], blocks of channels `blockBytes` apart and taps
 * `tapBytes`. scale, bias and residual may be 0, which stands
 * for a scale of 1; the residual has the strides of `out`, and may be `out`.
 */
export function convolveGrid(
  input: usize, inRow: i32, inCol: i32, rows: i32, cols: i32,
  taps: i32, tapStride: i32, run: i32, w: usize, blockBytes: i32, tapBytes: i32,
  out: usize, outRow: i32, outCol: i32, channels: i32,
  scale: usize, bias: usize, residual: usize, relu: bool,
): void {
  const total = rows * cols;
  const nextTap = tapStride - run * 4;
  const nextWeights = tapBytes - run * 32;
  for (let o = 0; o < channels; o += 8) {
    let row = 0;
    let col = 0;
    for (let p = 0; p < total; p += 4) {
      // Pixels past the last repeat the first of the tile: they store the same values again.
      let p0 = input + row * inRow + col * inCol;
      const o0 = row * outRow + col * outCol;
      if (++col == cols) { col = 0; row++; }
      let p1 = p0;
      let o1 = o0;
      if (p + 1 < total) { p1 = input + row * inRow + col * inCol; o1 = row * outRow + col * outCol; }
      if (++col == cols) { col = 0; row++; }
      let p2 = p0;
      let o2 = o0;
      if (p + 2 < total) { p2 = input + row * inRow + col * inCol; o2 = row * outRow + col * outCol; }
      if (++col == cols) { col = 0; row++; }
      let p3 = p0;
      let o3 = o0;
      if (p + 3 < total) { p3 = input + row * inRow + col * inCol; o3 = row * outRow + col * outCol; }
      if (++col == cols) { col = 0; row++; }

      const begin = scale ? 0 : bias;
      let a00 = begin ? v128.load(begin) : f32x4.splat(0);
      let a01 = begin ? v128.load(begin, 16) : f32x4.splat(0);
      let a10 = a00;
      let a11 = a01;
      let a20 = a00;
      let a21 = a01;
      let a30 = a00;
      let a31 = a01;
      let wp = w;
      for (let t = 0; t < taps; t++) {
        const end = wp + run * 32;
        do {
          const w0 = v128.load(wp);
          const w1 = v128.load(wp, 16);
          const x0 = v128.load32_splat(p0);
          a00 = madd(x0, w0, a00);
          a01 = madd(x0, w1, a01);
          const x1 = v128.load32_splat(p1);
          a10 = madd(x1, w0, a10);
          a11 = madd(x1, w1, a11);
          const x2 = v128.load32_splat(p2);
          a20 = madd(x2, w0, a20);
          a21 = madd(x2, w1, a21);
          const x3 = v128.load32_splat(p3);
          a30 = madd(x3, w0, a30);
          a31 = madd(x3, w1, a31);
          p0 += 4;
          p1 += 4;
          p2 += 4;
          p3 += 4;
          wp += 32;
        } while (wp != end);
        p0 += nextTap;
        p1 += nextTap;
        p2 += nextTap;
        p3 += nextTap;
        wp += nextWeights;
      }
      const scale1 = scale ? scale + 16 : 0;
      const bias1 = bias ? bias + 16 : 0;
      // All residuals are read before anything is written, since they may be the same memory.
      a00 = finish(a00, scale, bias, residual, o0, relu);
      a01 = finish(a01, scale1, bias1, residual, o0 + 16, relu);
      a10 = finish(a10, scale, bias, residual, o1, relu);
      a11 = finish(a11, scale1, bias1, residual, o1 + 16, relu);
      a20 = finish(a20, scale, bias, residual, o2, relu);
      a21 = finish(a21, scale1, bias1, residual, o2 + 16, relu);
      a30 = finish(a30, scale, bias, residual, o3, relu);
      a31 = finish(a31, scale1, bias1, residual, o3 + 16, relu);
      const left = channels - o;
      if (left >= 8) {
        v128.store(out + o0, a00);
        v128.store(out + o0, a01, 16);
        v128.store(out + o1, a10);
        v128.store(out + o1, a11, 16);
        v128.store(out + o2, a20);
        v128.store(out + o2, a21, 16);
        v128.store(out + o3, a30);
        v128.store(out + o3, a31, 16);
      } else {
        storeFirst(out + o0, a00, a01, left);
        storeFirst(out + o1, a10, a11, left);
        storeFirst(out + o2, a20, a21, left);
        storeFirst(out + o3, a30, a31, left);
      }
    }
    w += blockBytes;
    out += 32;
    if (scale) scale += 32;
    if (bias) bias += 32;
    if (residual) residual += 32;
  }
}
