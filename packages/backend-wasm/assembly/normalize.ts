// Normalization with known statistics, and its gradients. Channels are the fastest axis.

import { mapFirst, relu4, rowOf, share, stripOf, turned, turnOf } from "./common";
import { zero } from "./padding";

/** out = act((x − mean)·scale + shift + residual). residual may be 0; `out` may be x or the residual. */
@unmanaged
class Normalize {
  x: usize;
  xMap: usize;
  mean: usize;
  scale: usize;
  shift: usize;
  residual: usize;
  residualMap: usize;
  out: usize;
  outMap: usize;
  images: i32;
  pixels: i32;
  channels: i32;
  relu: i32;
}

export function normalize(args: usize, thread: i32, threads: i32): void {
  const n = changetype<Normalize>(args);
  const bytes = n.pixels * n.channels * 4;
  const strip = stripOf(n.images, n.pixels, n.channels);
  const xFirst = mapFirst(n.xMap);
  const residualFirst = mapFirst(n.residualMap);
  const outFirst = mapFirst(n.outMap);
  const end = share(n.images, thread + 1, threads);
  const turn = n.xMap ? turnOf(n.xMap, xFirst, n.images) : turnOf(n.outMap, outFirst, n.images);
  for (let k = share(n.images, thread, threads); k < end; k++) {
    const i = turned(k, turn, n.images);
    const x = n.x + <usize>rowOf(n.xMap, xFirst, i) * bytes;
    const out = n.out + <usize>rowOf(n.outMap, outFirst, i) * bytes;
    const residual = n.residual ? n.residual + <usize>rowOf(n.residualMap, residualFirst, i) * bytes : 0;
    for (let from = 0; from < bytes; from += strip) {
      normalizeStrip(n, x + from, out + from, residual ? residual + from : 0, min(strip, bytes - from));
    }
  }
}

function normalizeStrip(n: Normalize, x: usize, out: usize, residual: usize, total: i32): void {
  const next = n.channels * 4;
  const relu = n.relu != 0;
  let c = 0;
  for (; c <= next - 32; c += 32) {
    const m0 = v128.load(n.mean + c);
    const m1 = v128.load(n.mean + c, 16);
    const s0 = v128.load(n.scale + c);
    const s1 = v128.load(n.scale + c, 16);
    const b0 = v128.load(n.shift + c);
    const b1 = v128.load(n.shift + c, 16);
    for (let i = c; i < total; i += next) {
      let y0 = f32x4.add(f32x4.mul(f32x4.sub(v128.load(x + i), m0), s0), b0);
      let y1 = f32x4.add(f32x4.mul(f32x4.sub(v128.load(x + i, 16), m1), s1), b1);
      if (residual) {
        y0 = f32x4.add(y0, v128.load(residual + i));
        y1 = f32x4.add(y1, v128.load(residual + i, 16));
      }
      v128.store(out + i, relu ? relu4(y0) : y0);
      v128.store(out + i, relu ? relu4(y1) : y1, 16);
    }
  }
  for (; c < next; c += 4) {
    const m = f32.load(n.mean + c);
    const s = f32.load(n.scale + c);
    const b = f32.load(n.shift + c);
    for (let i = c; i < total; i += next) {
      let y = (f32.load(x + i) - m) * s + b;
      if (residual) y += f32.load(residual + i);
      f32.store(out + i, relu && y < 0 ? 0 : y);
    }
  }
}

/** Each thread's Σ g and Σ g·(x − mean), [2][C], for a `combine`; in passing out = g·scale, if there is an `out`, which may be g. */
@unmanaged
class GradSums {
  g: usize;
  gMap: usize;
  x: usize;
  xMap: usize;
  mean: usize;
  images: i32;
  pixels: i32;
  channels: i32;
  partial: usize;
  partialBytes: i32;
  scale: usize;
  out: usize;
  outMap: usize;
}

export function gradSumsPartial(args: usize, thread: i32, threads: i32): void {
  const s = changetype<GradSums>(args);
  const bytes = s.pixels * s.channels * 4;
  const strip = stripOf(s.images, s.pixels, s.channels);
  const partial = s.partial + thread * s.partialBytes;
  const gFirst = mapFirst(s.gMap);
  const xFirst = mapFirst(s.xMap);
  const outFirst = mapFirst(s.outMap);
  zero(partial, s.channels * 8);
  const end = share(s.images, thread + 1, threads);
  for (let i = share(s.images, thread, threads); i < end; i++) {
    const g = s.g + <usize>rowOf(s.gMap, gFirst, i) * bytes;
    const x = s.x + <usize>rowOf(s.xMap, xFirst, i) * bytes;
    const out = s.out ? s.out + <usize>rowOf(s.outMap, outFirst, i) * bytes : 0;
    for (let from = 0; from < bytes; from += strip) {
      const total = min(strip, bytes - from);
      if (out) sumsOfStrip(g + from, x + from, s.mean, total, s.channels, partial, true, s.scale, out + from);
      else sumsOfStrip(g + from, x + from, s.mean, total, s.channels, partial, false, 0, 0);
    }
  }
}

/** Both sums of one strip, added to those in `to`; the strip's own come first, which keeps rounding small. */
// @ts-ignore: decorator
@inline
function sumsOfStrip(
  g: usize, x: usize, mean: usize, total: i32, channels: i32, to: usize, scaled: bool, scale: usize, out: usize,
): void {
  const next = channels * 4;
  const second = to + next;
  let c = 0;
  for (; c <= next - 32; c += 32) {
    const m0 = v128.load(mean + c);
    const m1 = v128.load(mean + c, 16);
    let a0 = f32x4.splat(0);
    let a1 = a0;
    let b0 = a0;
    let b1 = a0;
    const s0 = scaled ? v128.load(scale + c) : a0;
    const s1 = scaled ? v128.load(scale + c, 16) : a0;
    for (let i = c; i < total; i += next) {
      const g0 = v128.load(g + i);
      const g1 = v128.load(g + i, 16);
      if (scaled) {
        v128.store(out + i, f32x4.mul(g0, s0));
        v128.store(out + i, f32x4.mul(g1, s1), 16);
      }
      a0 = f32x4.add(a0, g0);
      a1 = f32x4.add(a1, g1);
      b0 = f32x4.add(b0, f32x4.mul(g0, f32x4.sub(v128.load(x + i), m0)));
      b1 = f32x4.add(b1, f32x4.mul(g1, f32x4.sub(v128.load(x + i, 16), m1)));
    }
    v128.store(to + c, f32x4.add(v128.load(to + c), a0));
    v128.store(to + c, f32x4.add(v128.load(to + c, 16), a1), 16);
    v128.store(second + c, f32x4.add(v128.load(second + c), b0));
    v128.store(second + c, f32x4.add(v128.load(second + c, 16), b1), 16);
  }
  for (; c < next; c += 4) {
    const m = f32.load(mean + c);
    let a: f32 = 0;
    let b: f32 = 0;
    for (let i = c; i < total; i += next) {
      const v = f32.load(g + i);
      if (scaled) f32.store(out + i, v * f32.load(scale + c));
      a += v;
      b += v * (f32.load(x + i) - m);
    }
    f32.store(to + c, f32.load(to + c) + a);
    f32.store(second + c, f32.load(second + c) + b);
  }
}

/** out = g·gScale + (x − mean)·xScale + shift; `out` may be g or x. */
@unmanaged
class NormalizeInputGrad {
  g: usize;
  gMap: usize;
  x: usize;
  xMap: usize;
  gScale: usize;
  mean: usize;
  xScale: usize;
  shift: usize;
  out: usize;
  outMap: usize;
  images: i32;
  pixels: i32;
  channels: i32;
}

export function normalizeInputGrad(args: usize, thread: i32, threads: i32): void {
  const n = changetype<NormalizeInputGrad>(args);
  const bytes = n.pixels * n.channels * 4;
  const strip = stripOf(n.images, n.pixels, n.channels);
  const gFirst = mapFirst(n.gMap);
  const xFirst = mapFirst(n.xMap);
  const outFirst = mapFirst(n.outMap);
  const end = share(n.images, thread + 1, threads);
  for (let image = share(n.images, thread, threads); image < end; image++) {
    const g = n.g + <usize>rowOf(n.gMap, gFirst, image) * bytes;
    const x = n.x + <usize>rowOf(n.xMap, xFirst, image) * bytes;
    const out = n.out + <usize>rowOf(n.outMap, outFirst, image) * bytes;
    for (let from = 0; from < bytes; from += strip) {
      inputGradOfStrip(n, g + from, x + from, out + from, min(strip, bytes - from));
    }
  }
}

function inputGradOfStrip(n: NormalizeInputGrad, g: usize, x: usize, out: usize, total: i32): void {
  const next = n.channels * 4;
  let c = 0;
  for (; c <= next - 32; c += 32) {
    const p0 = v128.load(n.gScale + c);
    const p1 = v128.load(n.gScale + c, 16);
    const m0 = v128.load(n.mean + c);
    const m1 = v128.load(n.mean + c, 16);
    const q0 = v128.load(n.xScale + c);
    const q1 = v128.load(n.xScale + c, 16);
    const b0 = v128.load(n.shift + c);
    const b1 = v128.load(n.shift + c, 16);
    for (let i = c; i < total; i += next) {
      const y0 = f32x4.add(
        f32x4.add(f32x4.mul(v128.load(g + i), p0), f32x4.mul(f32x4.sub(v128.load(x + i), m0), q0)), b0,
      );
      const y1 = f32x4.add(
        f32x4.add(f32x4.mul(v128.load(g + i, 16), p1), f32x4.mul(f32x4.sub(v128.load(x + i, 16), m1), q1)), b1,
      );
      v128.store(out + i, y0);
      v128.store(out + i, y1, 16);
    }
  }
  for (; c < next; c += 4) {
    const p = f32.load(n.gScale + c);
    const m = f32.load(n.mean + c);
    const q = f32.load(n.xScale + c);
    const b = f32.load(n.shift + c);
    for (let i = c; i < total; i += next) {
      f32.store(out + i, f32.load(g + i) * p + (f32.load(x + i) - m) * q + b);
    }
  }
}
