// Mean and variance of each channel, by Chan's formula over blocks of images: the variance survives a mean far
// larger than the deviation, since every square is taken of a difference from the block's own mean.

import { mapFirst, rowOf, share } from "./common";
import { zero } from "./padding";
import { addPixels } from "./sums";

/** Partial results of a thread: count (float), then the means [C], then the sums of squares [C]. */
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
  scratch: usize; // 2·C floats for each thread
  scratchBytes: i32;
}

export function momentsPartial(args: usize, thread: i32, threads: i32): void {
  const m = changetype<Moments>(args);
  const imageBytes = m.pixels * m.channels * 4;
  const first = mapFirst(m.xMap);
  const end = share(m.images, thread + 1, threads);
  const partial = m.partial + thread * m.partialBytes;
  const mean = m.scratch + thread * m.scratchBytes;
  const squares = mean + m.channels * 4;
  zero(partial, (1 + 2 * m.channels) * 4);
  for (let n = share(m.images, thread, threads); n < end; n += m.block) {
    const last = min(n + m.block, end);
    const count = (last - n) * m.pixels;
    zero(mean, m.channels * 8);
    for (let i = n; i < last; i++) {
      addPixels(m.x + <usize>rowOf(m.xMap, first, i) * imageBytes, m.pixels, m.channels, mean);
    }
    for (let c = 0; c < m.channels; c++) f32.store(mean + c * 4, f32.load(mean + c * 4) / <f32>count);
    for (let i = n; i < last; i++) {
      addSquares(m.x + <usize>rowOf(m.xMap, first, i) * imageBytes, m.pixels, m.channels, mean, squares);
    }
    merge(partial, <f32>count, mean, squares, m.channels);
  }
}

/** Adds (count, mean, squares) to a partial result. */
function merge(into: usize, count: f32, mean: usize, squares: usize, channels: i32): void {
  const before = f32.load(into);
  const total = before + count;
  f32.store(into, total);
  into += 4;
  for (let c = 0; c < channels; c++) {
    const old = f32.load(into);
    const delta = f32.load(mean) - old;
    f32.store(into, old + delta * (count / total));
    const at = into + channels * 4;
    f32.store(at, f32.load(at) + f32.load(squares) + delta * delta * (before * (count / total)));
    into += 4;
    mean += 4;
    squares += 4;
  }
}

/** to[c] += Σ (x[c] − mean[c])². */
function addSquares(x: usize, pixels: i32, channels: i32, mean: usize, to: usize): void {
  const next = channels * 4;
  let c = 0;
  for (; c <= channels - 16; c += 16) {
    const m0 = v128.load(mean + c * 4);
    const m1 = v128.load(mean + c * 4, 16);
    const m2 = v128.load(mean + c * 4, 32);
    const m3 = v128.load(mean + c * 4, 48);
    let a = f32x4.splat(0);
    let b = a;
    let d = a;
    let e = a;
    let p = x + c * 4;
    for (let i = 0; i < pixels; i++) {
      const u = f32x4.sub(v128.load(p), m0);
      a = f32x4.add(a, f32x4.mul(u, u));
      const v = f32x4.sub(v128.load(p, 16), m1);
      b = f32x4.add(b, f32x4.mul(v, v));
      const w = f32x4.sub(v128.load(p, 32), m2);
      d = f32x4.add(d, f32x4.mul(w, w));
      const z = f32x4.sub(v128.load(p, 48), m3);
      e = f32x4.add(e, f32x4.mul(z, z));
      p += next;
    }
    const at = to + c * 4;
    v128.store(at, f32x4.add(v128.load(at), a));
    v128.store(at, f32x4.add(v128.load(at, 16), b), 16);
    v128.store(at, f32x4.add(v128.load(at, 32), d), 32);
    v128.store(at, f32x4.add(v128.load(at, 48), e), 48);
  }
  for (; c < channels; c++) {
    const m = f32.load(mean + c * 4);
    let a: f32 = 0;
    let p = x + c * 4;
    for (let i = 0; i < pixels; i++) {
      const u = f32.load(p) - m;
      a += u * u;
      p += next;
    }
    f32.store(to + c * 4, f32.load(to + c * 4) + a);
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

export function momentsCombine(args: usize, thread: i32, threads: i32): void {
  if (thread > 0) return;
  const m = changetype<MomentsCombine>(args);
  for (let t = 1; t < m.parts; t++) {
    const part = m.partial + t * m.partialBytes;
    const count = f32.load(part);
    if (count > 0) merge(m.partial, count, part + 4, part + 4 + m.channels * 4, m.channels);
  }
  const total = f32.load(m.partial);
  for (let c = 0; c < m.channels; c++) {
    f32.store(m.out + c * 4, f32.load(m.partial + 4 + c * 4));
    f32.store(m.out + (m.channels + c) * 4, f32.load(m.partial + 4 + (m.channels + c) * 4) / total);
  }
}
