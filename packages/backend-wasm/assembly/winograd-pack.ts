// Weights in Winograd's domain: U = G w Gᵀ, packed for the register tile.

import { share } from "./common";
import { planeBytes } from "./winograd";
import { transformWeights } from "./winograd-transform";

/**
 * w of (n, k, ky, kx) is at from[n·laneStride + k·stride + (3·ky + kx)·tapStride] → 36 planes
 * [⌈channels/8⌉][depth][8], `planeBytes` apart.
 * With weights [O][3][3][I]: forward n = o, k = i, laneStride 9I, stride 1, tapStride I. Input gradient n = i,
 * k = o, laneStride 1, stride 9I, tapStride −I, and `from` at the last tap, w + 8·I floats.
 */
@unmanaged
class PackWinograd {
  from: usize;
  to: usize;
  channels: i32;
  depth: i32;
  laneStride: i32; // in floats, as the others
  stride: i32;
  tapStride: i32;
  scale: usize; // factors by k, may be 0
}

export function packWinograd(args: usize, thread: i32, threads: i32): void {
  const a = changetype<PackWinograd>(args);
  const blocks = (a.channels + 7) / 8;
  const plane = planeBytes(blocks * 8, a.depth);
  const lane = a.laneStride * 4;
  const tap = a.tapStride * 4;
  const end = share(blocks * a.depth, thread + 1, threads);
  for (let i = share(blocks * a.depth, thread, threads); i < end; i++) {
    const first = (i / a.depth) * 8;
    const count = a.channels - first;
    const from = a.from + (first * a.laneStride + (i % a.depth) * a.stride) * 4;
    const to = a.to + i * 32;
    const factor: f32 = a.scale ? f32.load(a.scale + (i % a.depth) * 4) : 1;
    packHalf(from, tap, lane, min(4, count), factor, to, plane);
    packHalf(from + lane * 4, tap, lane, min(4, count - 4), factor, to + 16, plane);
  }
}

/** Four lanes. The columns' transforms wait in the planes that the rows' then overwrite. */
function packHalf(from: usize, tap: i32, lane: i32, count: i32, factor: f32, to: usize, plane: i32): void {
  const s = f32x4.splat(factor);
  for (let x = 0; x < 3; x++) {
    const w0 = f32x4.mul(s, gather(from, lane, count));
    const w1 = f32x4.mul(s, gather(from + tap * 3, lane, count));
    const w2 = f32x4.mul(s, gather(from + tap * 6, lane, count));
    transformWeights(w0, w1, w2, to + x * plane, plane * 6);
    from += tap;
  }
  for (let y = 0; y < 6; y++) {
    transformWeights(v128.load(to), v128.load(to + plane), v128.load(to + plane * 2), to, plane);
    to += plane * 6;
  }
}

function gather(from: usize, lane: i32, count: i32): v128 {
  let v = f32x4.splat(0);
  if (count > 0) v = f32x4.replace_lane(v, 0, f32.load(from));
  if (count > 1) v = f32x4.replace_lane(v, 1, f32.load(from + lane));
  if (count > 2) v = f32x4.replace_lane(v, 2, f32.load(from + lane * 2));
  if (count > 3) v = f32x4.replace_lane(v, 3, f32.load(from + lane * 3));
  return v;
}

/** Packed weights times factors by k: a fraction of what it takes to transform them once more. */
@unmanaged
class ScaleWinograd {
  from: usize;
  to: usize;
  channels: i32;
  depth: i32;
  scale: usize;
}

export function scaleWinograd(args: usize, thread: i32, threads: i32): void {
  const a = changetype<ScaleWinograd>(args);
  const blocks = (a.channels + 7) / 8;
  const plane = planeBytes(blocks * 8, a.depth);
  const rows = 36 * blocks;
  const end = share(rows, thread + 1, threads);
  for (let i = share(rows, thread, threads); i < end; i++) {
    const at = (i / blocks) * plane + (i % blocks) * a.depth * 32;
    let from = a.from + at;
    let to = a.to + at;
    const last = from + a.depth * 32;
    for (let scale = a.scale; from < last; scale += 4) {
      const s = v128.load32_splat(scale);
      v128.store(to, f32x4.mul(v128.load(from), s));
      v128.store(to, f32x4.mul(v128.load(from, 16), s), 16);
      from += 32;
      to += 32;
    }
  }
}
