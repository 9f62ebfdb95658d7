// Max pooling and its gradient, four channels at a time.

import { mapFirst, rowOf, share } from "./common";
import { zero } from "./padding";

@unmanaged
class Pooling {
  images: i32;
  channels: i32;
  height: i32; // of x
  width: i32;
  outHeight: i32;
  outWidth: i32;
  kernelY: i32;
  kernelX: i32;
  strideY: i32;
  strideX: i32;
  paddingY: i32;
  paddingX: i32;
  x: usize;
  xMap: usize;
  y: usize; // the result, or the gradient's g
  yMap: usize;
  out: usize; // of the gradient
  outMap: usize;
}

/** The largest values of a window of rows × columns pixels from `from` on, in four channels. */
// @ts-ignore: decorator
@inline
function largest4(from: usize, rows: i32, columns: i32, pixel: i32, line: i32): v128 {
  let top = v128.load(from);
  for (let r = 0; r < rows; r++) {
    let at = from + <usize>r * line;
    for (let k = 0; k < columns; k++) {
      top = f32x4.max(top, v128.load(at));
      at += pixel;
    }
  }
  return top;
}

/** As largest4, in one channel. */
// @ts-ignore: decorator
@inline
function largest1(from: usize, rows: i32, columns: i32, pixel: i32, line: i32): f32 {
  let top = f32.load(from);
  for (let r = 0; r < rows; r++) {
    let at = from + <usize>r * line;
    for (let k = 0; k < columns; k++) {
      top = max(top, f32.load(at));
      at += pixel;
    }
  }
  return top;
}

export function maxPool(args: usize, thread: i32, threads: i32): void {
  const p = changetype<Pooling>(args);
  const xFirst = mapFirst(p.xMap);
  const yFirst = mapFirst(p.yMap);
  const pixel = p.channels * 4;
  const line = p.width * pixel;
  const end = share(p.images, thread + 1, threads);
  for (let n = share(p.images, thread, threads); n < end; n++) {
    const x = p.x + <usize>rowOf(p.xMap, xFirst, n) * (p.height * line);
    let y = p.y + <usize>rowOf(p.yMap, yFirst, n) * (p.outHeight * p.outWidth * pixel);
    for (let oy = 0; oy < p.outHeight; oy++) {
      const top = max(0, oy * p.strideY - p.paddingY);
      const rows = min(p.height, oy * p.strideY - p.paddingY + p.kernelY) - top;
      for (let ox = 0; ox < p.outWidth; ox++) {
        const left = max(0, ox * p.strideX - p.paddingX);
        const columns = min(p.width, ox * p.strideX - p.paddingX + p.kernelX) - left;
        const from = x + top * line + left * pixel;
        let c = 0;
        for (; c <= pixel - 16; c += 16) {
          v128.store(y + c, largest4(from + c, rows, columns, pixel, line));
        }
        for (; c < pixel; c += 4) {
          f32.store(y + c, largest1(from + c, rows, columns, pixel, line));
        }
        y += pixel;
      }
    }
  }
}

/** Adds g where x equals `top` first, in four channels. */
// @ts-ignore: decorator
@inline
function give4(to: usize, from: usize, g: v128, top: v128, rows: i32, columns: i32, pixel: i32, line: i32): void {
  let open = i32x4.splat(-1); // the channels whose largest value is still to come
  for (let r = 0; r < rows; r++) {
    let at: usize = <usize>r * line;
    for (let k = 0; k < columns; k++) {
      const here = v128.and(open, f32x4.eq(v128.load(from + at), top));
      v128.store(to + at, f32x4.add(v128.load(to + at), v128.and(g, here)));
      open = v128.andnot(open, here);
      at += pixel;
    }
  }
}

/** As give4, in one channel. */
// @ts-ignore: decorator
@inline
function give1(to: usize, from: usize, g: f32, top: f32, rows: i32, columns: i32, pixel: i32, line: i32): void {
  for (let r = 0; r < rows; r++) {
    let at: usize = <usize>r * line;
    for (let k = 0; k < columns; k++) {
      if (f32.load(from + at) == top) {
        f32.store(to + at, f32.load(to + at) + g);
        return;
      }
      at += pixel;
    }
  }
}

export function maxPoolGrad(args: usize, thread: i32, threads: i32): void {
  const p = changetype<Pooling>(args);
  const xFirst = mapFirst(p.xMap);
  const yFirst = mapFirst(p.yMap);
  const outFirst = mapFirst(p.outMap);
  const pixel = p.channels * 4;
  const line = p.width * pixel;
  const end = share(p.images, thread + 1, threads);
  for (let n = share(p.images, thread, threads); n < end; n++) {
    const x = p.x + <usize>rowOf(p.xMap, xFirst, n) * (p.height * line);
    const out = p.out + <usize>rowOf(p.outMap, outFirst, n) * (p.height * line);
    let g = p.y + <usize>rowOf(p.yMap, yFirst, n) * (p.outHeight * p.outWidth * pixel);
    zero(out, p.height * line);
    for (let oy = 0; oy < p.outHeight; oy++) {
      const top = max(0, oy * p.strideY - p.paddingY);
      const rows = min(p.height, oy * p.strideY - p.paddingY + p.kernelY) - top;
      for (let ox = 0; ox < p.outWidth; ox++) {
        const left = max(0, ox * p.strideX - p.paddingX);
        const columns = min(p.width, ox * p.strideX - p.paddingX + p.kernelX) - left;
        const from = top * line + left * pixel;
        let c = 0;
        for (; c <= pixel - 16; c += 16) {
          const at = x + from + c;
          const largest = largest4(at, rows, columns, pixel, line);
          give4(out + from + c, at, v128.load(g + c), largest, rows, columns, pixel, line);
        }
        for (; c < pixel; c += 4) {
          const at = x + from + c;
          const largest = largest1(at, rows, columns, pixel, line);
          give1(out + from + c, at, f32.load(g + c), largest, rows, columns, pixel, line);
        }
        g += pixel;
      }
    }
  }
}
