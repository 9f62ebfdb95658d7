// The one-dimensional transforms of Winograd's F(4,3), each on vectors of four channels.
//
// A tile of 4 × 4 outputs takes 36 products instead of 144: Y = Aᵀ[(G w Gᵀ) ⊙ (Bᵀ d B)]A (Lavin and Gray 2016).
// The interpolation points are 0, ±a, ±b, ∞ with a = 5/8 and b = 3/2, whose products and squares are exact in
// float32: the largest error is a quarter of that with the usual points 0, ±1, ±2, ∞ at the same cost.

import { madd } from "./common";
import { put, second } from "./width";

const A: f32 = 0.625;
const B: f32 = 1.5;
const A2: f32 = 0.390625;
const B2: f32 = 2.25;
// 1 / Π (p − q) over the other finite points q, for p = 0, ±a, ±b; in float64 until they are used.
const N0: f64 = 1.0 / (0.390625 * 2.25);
const NA: f64 = 1.0 / (2.0 * 0.390625 * (0.390625 - 2.25));
const NB: f64 = 1.0 / (2.0 * 2.25 * (2.25 - 0.390625));

/** c − a·b. */
// @ts-ignore: decorator
@inline
function nmadd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return v128.relaxed_nmadd<f32>(a, b, c);
  return f32x4.sub(c, f32x4.mul(a, b));
}

/** Bᵀd: from six addresses to `to`, `to` + step, …, one vector or, `wide`, two. */
// @ts-ignore: decorator
@inline
export function transformInput(
  p0: usize, p1: usize, p2: usize, p3: usize, p4: usize, p5: usize, to: usize, step: i32, wide: bool,
): void {
  const a = f32x4.splat(A);
  const b = f32x4.splat(B);
  const a2 = f32x4.splat(A2);
  const b2 = f32x4.splat(B2);
  const d0 = v128.load(p0);
  const e0 = second(p0, wide);
  const d1 = v128.load(p1);
  const e1 = second(p1, wide);
  const d2 = v128.load(p2);
  const e2 = second(p2, wide);
  const d3 = v128.load(p3);
  const e3 = second(p3, wide);
  const d4 = v128.load(p4);
  const e4 = second(p4, wide);
  const d5 = v128.load(p5);
  const e5 = second(p5, wide);
  const dEven = nmadd(b2, d2, d4);
  const eEven = nmadd(b2, e2, e4);
  const dOdd = nmadd(b2, d1, d3);
  const eOdd = nmadd(b2, e1, e3);
  put(to, nmadd(a2, nmadd(b2, d0, d2), dEven), nmadd(a2, nmadd(b2, e0, e2), eEven), wide);
  to += step;
  put(to, madd(a, dOdd, dEven), madd(a, eOdd, eEven), wide);
  to += step;
  put(to, nmadd(a, dOdd, dEven), nmadd(a, eOdd, eEven), wide);
  to += step;
  const dEvenB = nmadd(a2, d2, d4);
  const eEvenB = nmadd(a2, e2, e4);
  const dOddB = nmadd(a2, d1, d3);
  const eOddB = nmadd(a2, e1, e3);
  put(to, madd(b, dOddB, dEvenB), madd(b, eOddB, eEvenB), wide);
  to += step;
  put(to, nmadd(b, dOddB, dEvenB), nmadd(b, eOddB, eEvenB), wide);
  to += step;
  put(to, nmadd(a2, dOdd, nmadd(b2, d3, d5)), nmadd(a2, eOdd, nmadd(b2, e3, e5)), wide);
}

/** A g: from four addresses to six. */
// @ts-ignore: decorator
@inline
export function transformGradient(
  p0: usize, p1: usize, p2: usize, p3: usize, to: usize, step: i32, wide: bool,
): void {
  const a = f32x4.splat(A);
  const b = f32x4.splat(B);
  const a2 = f32x4.splat(A2);
  const b2 = f32x4.splat(B2);
  const g0 = v128.load(p0);
  const h0 = second(p0, wide);
  const g1 = v128.load(p1);
  const h1 = second(p1, wide);
  const g2 = v128.load(p2);
  const h2 = second(p2, wide);
  const g3 = v128.load(p3);
  const h3 = second(p3, wide);
  const gEven = madd(a2, g2, g0);
  const hEven = madd(a2, h2, h0);
  const gOdd = madd(a2, g3, g1);
  const hOdd = madd(a2, h3, h1);
  const gEvenB = madd(b2, g2, g0);
  const hEvenB = madd(b2, h2, h0);
  const gOddB = madd(b2, g3, g1);
  const hOddB = madd(b2, h3, h1);
  put(to, g0, h0, wide);
  to += step;
  put(to, madd(a, gOdd, gEven), madd(a, hOdd, hEven), wide);
  to += step;
  put(to, nmadd(a, gOdd, gEven), nmadd(a, hOdd, hEven), wide);
  to += step;
  put(to, madd(b, gOddB, gEvenB), madd(b, hOddB, hEvenB), wide);
  to += step;
  put(to, nmadd(b, gOddB, gEvenB), nmadd(b, hOddB, hEvenB), wide);
  to += step;
  put(to, g3, h3, wide);
}

/** The four outputs Aᵀm of six products, each by itself since a function returns one value. */
// @ts-ignore: decorator
@inline
export function output0(m0: v128, sumA: v128, sumB: v128): v128 {
  return f32x4.add(m0, f32x4.add(sumA, sumB));
}

// @ts-ignore: decorator
@inline
export function output1(differenceA: v128, differenceB: v128): v128 {
  return madd(f32x4.splat(A), differenceA, f32x4.mul(f32x4.splat(B), differenceB));
}

// @ts-ignore: decorator
@inline
export function output2(sumA: v128, sumB: v128): v128 {
  return madd(f32x4.splat(A2), sumA, f32x4.mul(f32x4.splat(B2), sumB));
}

// @ts-ignore: decorator
@inline
export function output3(differenceA: v128, differenceB: v128, m5: v128): v128 {
  return madd(f32x4.splat(A * A2), differenceA, madd(f32x4.splat(B * B2), differenceB, m5));
}

/** G w: of three vectors to six addresses. */
// @ts-ignore: decorator
@inline
export function transformWeights(w0: v128, w1: v128, w2: v128, to: usize, step: i32): void {
  const evenA = madd(f32x4.splat(<f32>(NA * A2)), w2, f32x4.mul(f32x4.splat(<f32>NA), w0));
  const oddA = f32x4.mul(f32x4.splat(<f32>(NA * A)), w1);
  const evenB = madd(f32x4.splat(<f32>(NB * B2)), w2, f32x4.mul(f32x4.splat(<f32>NB), w0));
  const oddB = f32x4.mul(f32x4.splat(<f32>(NB * B)), w1);
  v128.store(to, f32x4.mul(f32x4.splat(<f32>N0), w0));
  to += step;
  v128.store(to, f32x4.add(evenA, oddA));
  to += step;
  v128.store(to, f32x4.sub(evenA, oddA));
  to += step;
  v128.store(to, f32x4.add(evenB, oddB));
  to += step;
  v128.store(to, f32x4.sub(evenB, oddB));
  to += step;
  v128.store(to, w2);
}

/** The three taps Gᵀm of six products. */
// @ts-ignore: decorator
@inline
export function tap0(m0: v128, sumA: v128, sumB: v128): v128 {
  const b = f32x4.mul(f32x4.splat(<f32>NB), sumB);
  return madd(f32x4.splat(<f32>N0), m0, madd(f32x4.splat(<f32>NA), sumA, b));
}

// @ts-ignore: decorator
@inline
export function tap1(differenceA: v128, differenceB: v128): v128 {
  return madd(f32x4.splat(<f32>(NA * A)), differenceA, f32x4.mul(f32x4.splat(<f32>(NB * B)), differenceB));
}

// @ts-ignore: decorator
@inline
export function tap2(sumA: v128, sumB: v128, m5: v128): v128 {
  return madd(f32x4.splat(<f32>(NA * A2)), sumA, madd(f32x4.splat(<f32>(NB * B2)), sumB, m5));
}
