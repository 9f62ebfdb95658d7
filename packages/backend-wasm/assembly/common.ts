// What every kernel uses: multiply-add, row maps, division of work between threads.

/** Sixteen floats each, for where there is no bias or scale: V8 does not join vectors that come from branches (see width.ts). */
export const ZEROS = memory.data<f32>([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 16);
export const ONES = memory.data<f32>([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], 16);

/** a·b + c; fused where the build has relaxed SIMD. */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return v128.relaxed_madd<f32>(a, b, c);
  return f32x4.add(c, f32x4.mul(a, b));
}

/** max(v, 0) that lets NaN through. */
// @ts-ignore: decorator
@inline
export function relu4(v: v128): v128 {
  return f32x4.pmax(v, f32x4.splat(0));
}

/** v where `mask` is positive, else 0. */
// @ts-ignore: decorator
@inline
export function masked(v: v128, mask: v128): v128 {
  return v128.and(v, f32x4.gt(mask, f32x4.splat(0)));
}

/** The sum of the four lanes. */
// @ts-ignore: decorator
@inline
export function lanes(v: v128): f32 {
  return (
    f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3))
  );
}

/** A cyclic range of rows with a dynamic start: row i is base + ((start + offset + i) mod modulo). */
@unmanaged
export class RowMap {
  start: usize; // where the start (int32) is read
  base: i32;
  modulo: i32;
  offset: i32;
}

/** The first row of a map relative to its base, in 0 … modulo − 1; 0 for "no map" (0). */
export function mapFirst(map: usize): i32 {
  if (!map) return 0;
  const m = changetype<RowMap>(map);
  const first = (load<i32>(m.start) % m.modulo + m.offset) % m.modulo;
  return first < 0 ? first + m.modulo : first;
}

/** The physical row of logical row i. */
// @ts-ignore: decorator
@inline
export function rowOf(map: usize, first: i32, i: i32): i32 {
  if (!map) return i;
  const m = changetype<RowMap>(map);
  let row = first + i;
  if (row >= m.modulo) row -= m.modulo;
  return m.base + row;
}

/**
 * Which of `count` logical rows to begin with, so that they are taken in the order of memory: the first one after
 * the range wraps, if it does. A thread's share of a range that moves from step to step so stays where that
 * thread's share of the whole tensor is, in its own cache. Of ranges of few rows hardly any would stay.
 */
export function turnOf(map: usize, first: i32, count: i32): i32 {
  if (!map) return 0;
  const modulo = changetype<RowMap>(map).modulo;
  const wrap = modulo - first;
  return wrap < count && count * 2 > modulo ? wrap : 0;
}

/** The i-th of `count` rows when the first is `turn`. */
// @ts-ignore: decorator
@inline
export function turned(i: i32, turn: i32, count: i32): i32 {
  const row = i + turn;
  return row < count ? row : row - count;
}

/** Where a thread's share of n units begins; its end is the next thread's begin. */
// @ts-ignore: decorator
@inline
export function share(n: i32, thread: i32, threads: i32): i32 {
  return <i32>((<i64>n * <i64>thread) / <i64>threads);
}

/** As `share`, in multiples of `unit`. */
export function shareOf(n: i32, unit: i32, thread: i32, threads: i32): i32 {
  const begin = share((n + unit - 1) / unit, thread, threads) * unit;
  return min(begin, n);
}

/** Tensors of more bytes than this do not stay in the last cache from pass to pass. */
const FAR: usize = 16 << 20;

/**
 * How many bytes of an image, whole pixels, a kernel goes through for some channels after the others: few enough that
 * they stay in the first cache meanwhile, at least 8 pixels. From memory that is far the processor reads ahead only
 * what is read in its order, so there they are 4.
 */
export function stripOf(images: i32, pixels: i32, channels: i32): i32 {
  const pixel = channels * 4;
  return (<usize>images * pixels * pixel > FAR ? 4 : max(8, 2048 / pixel)) * pixel;
}
