// Mean and variance of each channel in one pass, by Chan's formula over blocks of images. The variance survives a mean
// far larger than the deviation: squares are taken of differences from the mean m of what came before (of the first
// pixels, to begin with), what m lacks is found from the sum of the same differences, and blocks are merged in double
// precision.

import { madd, mapFirst, rowOf, share, stripOf } from "./common";
import { zero } from "./padding";
import { addPixels } from "./sums";

/** Partial results of a thread, float64: count, then the means [C], then the sums of squares [C]. */
@unmanaged
class Moments {
  x: usize;
  xMap: usize;
  images: i32;
  pixels: i32;
  channels: i32;
  block: i32; // images treated together
  partial: usize;
  partialBytes: i32; // of one thread
  scratch: usize; // 3·C floats for each thread: mean, Σ (x − mean), Σ (x − mean)²
  scratchBytes: i32;
}

export function momentsPartial(args: usize, thread: i32, threads: i32): void {
  const m = changetype<Moments>(args);
  const imageBytes = m.pixels * m.channels * 4;
  const strip = stripOf(m.images, m.pixels, m.channels);
  const first = mapFirst(m.xMap);
  const end = share(m.images, thread + 1, threads);
  const partial = m.partial + thread * m.partialBytes;
  const mean = m.scratch + thread * m.scratchBytes;
  zero(partial, (1 + 2 * m.channels) * 8);
  for (let n = share(m.images, thread, threads); n < end; n += m.block) {
    const last = min(n + m.block, end);
    const count = (last - n) * m.pixels;
    zero(mean, m.channels * 12);
    if (f64.load(partial) == 0) {
      const pixels = min(strip, imageBytes) / (m.channels * 4);
      addPixels(m.x + <usize>rowOf(m.xMap, first, n) * imageBytes, pixels, m.channels, mean);
      for (let c = 0; c < m.channels; c++) f32.store(mean + c * 4, f32.load(mean + c * 4) / <f32>pixels);
    } else {
      for (let c = 0; c < m.channels; c++) f32.store(mean + c * 4, <f32>f64.load(partial + 8 + c * 8));
    }
    for (let i = n; i < last; i++) {
      const x = m.x + <usize>rowOf(m.xMap, first, i) * imageBytes;
      for (let from = 0; from < imageBytes; from += strip) {
        addDifferences(x + from, min(strip, imageBytes - from) / (m.channels * 4), m.channels, mean);
      }
    }
    mergeBlock(partial, <f64>count, mean, m.channels);
  }
}

/** Merges a mean and a sum of squares over `count` values into those of `before` values at `into`. */
// @ts-ignore: decorator
@inline
function merge(into: usize, channels: i32, before: f64, count: f64, mean: f64, squares: f64): void {
  const old = f64.load(into);
  const share = count / (before + count);
  const delta = mean - old;
  f64.store(into, old + delta * share);
  const at = into + channels * 8;
  f64.store(at, f64.load(at) + squares + delta * delta * before * share);
}

function mergeBlock(into: usize, count: f64, mean: usize, channels: i32): void {
  const before = f64.load(into);
  f64.store(into, before + count);
  for (let c = 0; c < channels; c++) {
    const lack = <f64>f32.load(mean + channels * 4) / count;
    const squares = <f64>f32.load(mean + channels * 8) - lack * lack * count;
    into += 8;
    merge(into, channels, before, count, <f64>f32.load(mean) + lack, max(squares, 0));
    mean += 4;
  }
}

// @ts-ignore: decorator
@inline
function addTo(to: usize, v: v128): void {
  v128.store(to, f32x4.add(v128.load(to), v));
}

/** Adds Σ (x − mean) and Σ (x − mean)² to what follows the means. */
function addDifferences(x: usize, pixels: i32, channels: i32, mean: usize): void {
  const next = channels * 4;
  let c = 0;
  // Eight sums at a time, of two pixels, since each addition has to wait for the one before.
  for (; c <= next - 32; c += 32) {
    const m0 = v128.load(mean + c);
    const m1 = v128.load(mean + c, 16);
    let a0 = f32x4.splat(0);
    let a1 = a0;
    let a2 = a0;
    let a3 = a0;
    let b0 = a0;
    let b1 = a0;
    let b2 = a0;
    let b3 = a0;
    let p = x + c;
    let i = 0;
    for (; i <= pixels - 2; i += 2) {
      const d0 = f32x4.sub(v128.load(p), m0);
      a0 = f32x4.add(a0, d0);
      b0 = madd(d0, d0, b0);
      const d1 = f32x4.sub(v128.load(p, 16), m1);
      a1 = f32x4.add(a1, d1);
      b1 = madd(d1, d1, b1);
      p += next;
      const d2 = f32x4.sub(v128.load(p), m0);
      a2 = f32x4.add(a2, d2);
      b2 = madd(d2, d2, b2);
      const d3 = f32x4.sub(v128.load(p, 16), m1);
      a3 = f32x4.add(a3, d3);
      b3 = madd(d3, d3, b3);
      p += next;
    }
    if (i < pixels) {
      const d0 = f32x4.sub(v128.load(p), m0);
      a0 = f32x4.add(a0, d0);
      b0 = madd(d0, d0, b0);
      const d1 = f32x4.sub(v128.load(p, 16), m1);
      a1 = f32x4.add(a1, d1);
      b1 = madd(d1, d1, b1);
    }
    const first = mean + next + c;
    addTo(first, f32x4.add(a0, a2));
    addTo(first + 16, f32x4.add(a1, a3));
    const second = first + next;
    addTo(second, f32x4.add(b0, b2));
    addTo(second + 16, f32x4.add(b1, b3));
  }
  for (; c < next; c += 4) {
    const m = f32.load(mean + c);
    let a: f32 = 0;
    let b: f32 = 0;
    let p = x + c;
    for (let i = 0; i < pixels; i++) {
      const u = f32.load(p) - m;
      a += u;
      b += u * u;
      p += next;
    }
    const first = mean + next + c;
    f32.store(first, f32.load(first) + a);
    f32.store(first + next, f32.load(first + next) + b);
  }
}

/** out [2][C] = mean, biased variance, from all threads' partial results. */
@unmanaged
class MomentsCombine {
  partial: usize;
  partialBytes: i32;
  parts: i32;
  channels: i32;
  out: usize;
}

/** Each thread does it for itself, see EACH in src/opcodes.ts. */
export function momentsCombine(args: usize): void {
  const m = changetype<MomentsCombine>(args);
  const toSquares = m.channels * 8;
  for (let c = 0; c < m.channels; c++) {
    let count = 0.0;
    let mean = 0.0;
    let squares = 0.0;
    let part = m.partial;
    for (let t = 0; t < m.parts; t++) {
      const more = f64.load(part);
      if (more > 0) {
        const at = part + 8 + c * 8;
        const share = more / (count + more);
        const delta = f64.load(at) - mean;
        squares += f64.load(at + toSquares) + delta * delta * count * share;
        mean += delta * share;
        count += more;
      }
      part += m.partialBytes;
    }
    f32.store(m.out + c * 4, <f32>mean);
    f32.store(m.out + (m.channels + c) * 4, <f32>(squares / count));
  }
}
