// The inner kernel of convolutions and matrix products: a register tile of 4 pixels × 8 output channels, or 16
// in the wide build, which has registers of 8 floats.
//
// V8's instruction selection places all loads of a basic block before its arithmetic, so everything that an
// iteration loads must fit the 15 registers beside the accumulators. 4 × 2 vectors (8 + 4 + 2) without
// unrolling within a block does and reaches 50 GFLOP/s where 6 × 2 unrolled by 4 spills and stays at 32.

import { madd, ONES, ZEROS } from "./common";
import { fourth, put4, third, WIDE } from "./width";

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
  let o = 0;
  if (WIDE) {
    for (; o <= channels - 16; o += 16) {
      convolveColumns(
        input, inRow, inCol, rows, cols, taps, tapStride, run, w, w + blockBytes, tapBytes, out, outRow, outCol, 16,
        scale ? scale : ONES, bias ? bias : ZEROS, residual, relu, true,
      );
      w += blockBytes * 2;
      out += 64;
      if (scale) scale += 64;
      if (bias) bias += 64;
      if (residual) residual += 64;
    }
  }
  for (; o < channels; o += 8) {
    convolveColumns(
      input, inRow, inCol, rows, cols, taps, tapStride, run, w, 0, tapBytes, out, outRow, outCol, channels - o,
      scale ? scale : ONES, bias ? bias : ZEROS, residual, relu, false,
    );
    w += blockBytes;
    out += 32;
    if (scale) scale += 32;
    if (bias) bias += 32;
    if (residual) residual += 32;
  }
}

/** The first `channels` (at most 8) output channels, or 16, `wide`: those of the blocks at w and u. */
// @ts-ignore: decorator
@inline
function convolveColumns(
  input: usize, inRow: i32, inCol: i32, rows: i32, cols: i32,
  taps: i32, tapStride: i32, run: i32, w: usize, u: usize, tapBytes: i32,
  out: usize, outRow: i32, outCol: i32, channels: i32,
  scale: usize, bias: usize, residual: usize, relu: bool, wide: bool,
): void {
  const total = rows * cols;
  const nextTap = tapStride - run * 4;
  const nextWeights = tapBytes - run * 32;
  const floor = f32x4.splat(relu ? 0 : -Infinity); // NaN passes through pmax(v, floor)
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
    let a00 = f32x4.splat(0);
    let a01 = f32x4.splat(0);
    let a02 = f32x4.splat(0);
    let a03 = f32x4.splat(0);
    let a10 = f32x4.splat(0);
    let a11 = f32x4.splat(0);
    let a12 = f32x4.splat(0);
    let a13 = f32x4.splat(0);
    let a20 = f32x4.splat(0);
    let a21 = f32x4.splat(0);
    let a22 = f32x4.splat(0);
    let a23 = f32x4.splat(0);
    let a30 = f32x4.splat(0);
    let a31 = f32x4.splat(0);
    let a32 = f32x4.splat(0);
    let a33 = f32x4.splat(0);
    let wp = w;
    let up = u;
    for (let t = 0; t < taps; t++) {
      const end = wp + run * 32;
      do {
        const w0 = v128.load(wp);
        const w1 = v128.load(wp, 16);
        const w2 = wide ? v128.load(up) : w0;
        const w3 = wide ? v128.load(up, 16) : w0;
        const x0 = v128.load32_splat(p0);
        a00 = madd(x0, w0, a00);
        a01 = madd(x0, w1, a01);
        if (wide) a02 = madd(x0, w2, a02);
        if (wide) a03 = madd(x0, w3, a03);
        const x1 = v128.load32_splat(p1);
        a10 = madd(x1, w0, a10);
        a11 = madd(x1, w1, a11);
        if (wide) a12 = madd(x1, w2, a12);
        if (wide) a13 = madd(x1, w3, a13);
        const x2 = v128.load32_splat(p2);
        a20 = madd(x2, w0, a20);
        a21 = madd(x2, w1, a21);
        if (wide) a22 = madd(x2, w2, a22);
        if (wide) a23 = madd(x2, w3, a23);
        const x3 = v128.load32_splat(p3);
        a30 = madd(x3, w0, a30);
        a31 = madd(x3, w1, a31);
        if (wide) a32 = madd(x3, w2, a32);
        if (wide) a33 = madd(x3, w3, a33);
        p0 += 4;
        p1 += 4;
        p2 += 4;
        p3 += 4;
        wp += 32;
        up += 32;
      } while (wp != end);
      p0 += nextTap;
      p1 += nextTap;
      p2 += nextTap;
      p3 += nextTap;
      wp += nextWeights;
      up += nextWeights;
    }
    const s0 = v128.load(scale);
    const s1 = v128.load(scale, 16);
    const s2 = third(scale, wide);
    const s3 = fourth(scale, wide);
    const b0 = v128.load(bias);
    const b1 = v128.load(bias, 16);
    const b2 = third(bias, wide);
    const b3 = fourth(bias, wide);
    a00 = madd(a00, s0, b0);
    a01 = madd(a01, s1, b1);
    a02 = madd(a02, s2, b2);
    a03 = madd(a03, s3, b3);
    a10 = madd(a10, s0, b0);
    a11 = madd(a11, s1, b1);
    a12 = madd(a12, s2, b2);
    a13 = madd(a13, s3, b3);
    a20 = madd(a20, s0, b0);
    a21 = madd(a21, s1, b1);
    a22 = madd(a22, s2, b2);
    a23 = madd(a23, s3, b3);
    a30 = madd(a30, s0, b0);
    a31 = madd(a31, s1, b1);
    a32 = madd(a32, s2, b2);
    a33 = madd(a33, s3, b3);
    // All residuals are read before anything is written, since they may be the same memory.
    if (residual) {
      const r0 = residual + o0;
      a00 = f32x4.add(a00, v128.load(r0));
      a01 = f32x4.add(a01, v128.load(r0, 16));
      a02 = f32x4.add(a02, third(r0, wide));
      a03 = f32x4.add(a03, fourth(r0, wide));
      const r1 = residual + o1;
      a10 = f32x4.add(a10, v128.load(r1));
      a11 = f32x4.add(a11, v128.load(r1, 16));
      a12 = f32x4.add(a12, third(r1, wide));
      a13 = f32x4.add(a13, fourth(r1, wide));
      const r2 = residual + o2;
      a20 = f32x4.add(a20, v128.load(r2));
      a21 = f32x4.add(a21, v128.load(r2, 16));
      a22 = f32x4.add(a22, third(r2, wide));
      a23 = f32x4.add(a23, fourth(r2, wide));
      const r3 = residual + o3;
      a30 = f32x4.add(a30, v128.load(r3));
      a31 = f32x4.add(a31, v128.load(r3, 16));
      a32 = f32x4.add(a32, third(r3, wide));
      a33 = f32x4.add(a33, fourth(r3, wide));
    }
    a00 = f32x4.pmax(a00, floor);
    a01 = f32x4.pmax(a01, floor);
    a02 = f32x4.pmax(a02, floor);
    a03 = f32x4.pmax(a03, floor);
    a10 = f32x4.pmax(a10, floor);
    a11 = f32x4.pmax(a11, floor);
    a12 = f32x4.pmax(a12, floor);
    a13 = f32x4.pmax(a13, floor);
    a20 = f32x4.pmax(a20, floor);
    a21 = f32x4.pmax(a21, floor);
    a22 = f32x4.pmax(a22, floor);
    a23 = f32x4.pmax(a23, floor);
    a30 = f32x4.pmax(a30, floor);
    a31 = f32x4.pmax(a31, floor);
    a32 = f32x4.pmax(a32, floor);
    a33 = f32x4.pmax(a33, floor);
    if (wide || channels >= 8) {
      put4(out + o0, a00, a01, a02, a03, wide);
      put4(out + o1, a10, a11, a12, a13, wide);
      put4(out + o2, a20, a21, a22, a23, wide);
      put4(out + o3, a30, a31, a32, a33, wide);
    } else {
      storeFirst(out + o0, a00, a01, channels);
      storeFirst(out + o1, a10, a11, channels);
      storeFirst(out + o2, a20, a21, channels);
      storeFirst(out + o3, a30, a31, channels);
    }
  }
}
