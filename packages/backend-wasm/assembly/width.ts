// Kernels treat two vectors at a time where they can, or four rather than two, for an engine that makes one operation on
// 8 floats of two on 4. It sees that two are side by side by the constant offsets of their loads and stores, and joins
// only what was computed in the same blocks: so not what comes from a branch, or was passed to a function.

/** Whether there is such an engine. The build replaces this line, see scripts/build-engine.mjs. */
export const WIDE: bool = false;

/** The vector after the one at p, where two are treated at a time. */
// @ts-ignore: decorator
@inline
export function second(p: usize, wide: bool): v128 {
  return wide ? v128.load(p, 16) : f32x4.splat(0);
}

/** Stores v, and w after it where two vectors are treated at a time. */
// @ts-ignore: decorator
@inline
export function put(to: usize, v: v128, w: v128, wide: bool): void {
  v128.store(to, v);
  if (wide) v128.store(to, w, 16);
}

/** The third vector at p where four are treated at a time, rather than two. */
// @ts-ignore: decorator
@inline
export function third(p: usize, wide: bool): v128 {
  return wide ? v128.load(p, 32) : f32x4.splat(0);
}

/** The fourth. */
// @ts-ignore: decorator
@inline
export function fourth(p: usize, wide: bool): v128 {
  return wide ? v128.load(p, 48) : f32x4.splat(0);
}

/** Stores four vectors, or the first two. */
// @ts-ignore: decorator
@inline
export function put4(to: usize, a: v128, b: v128, c: v128, d: v128, wide: bool): void {
  v128.store(to, a);
  v128.store(to, b, 16);
  if (wide) v128.store(to, c, 32);
  if (wide) v128.store(to, d, 48);
}
