// 3 × 3 convolution at stride 1 by Winograd's F(4 × 4, 3 × 3); the input gradient is the same with the weights
// turned round. A thread takes a band of tile rows ("strips"), transforms their input, multiplies the 36 planes
// [tiles][C]·[C][O], and transforms the products into outputs, so that both stay in its cache.

import { madd, mapFirst, masked, ONES, rowOf, share, turned, turnOf, ZEROS } from "./common";
import { Convolve, Geometry } from "./convolve";
import { zero } from "./padding";
import { awaitChunks, claim, finish, offer } from "./sync";
import { put, second, WIDE } from "./width";
import { multiply } from "./winograd-multiply";
import { output0, output1, output2, output3, transformInput } from "./winograd-transform";

/** The arguments of `convolve`; `band` counts strips, the weights are those of `packWinograd`. */
@unmanaged
class WinogradConvolve extends Convolve {
  mask: usize; // results are kept where this is positive, may be 0
  maskMap: usize;
}

// @ts-ignore: decorator
@inline
export function roundUp(n: i32, unit: i32): i32 {
  return ((n + unit - 1) / unit) * unit;
}

/** Bytes between the 36 planes of rows × columns: not a power of two, or all would share one cache set. */
// @ts-ignore: decorator
@inline
export function planeBytes(rows: i32, columns: i32): i32 {
  return rows * columns * 4 + 64;
}

export function convolveWinograd(args: usize, thread: i32, threads: i32): void {
  const c = changetype<WinogradConvolve>(args);
  const down = (c.outHeight + 3) / 4;
  const across = (c.outWidth + 3) / 4;
  const xFirst = mapFirst(c.xMap);
  const residualFirst = mapFirst(c.residualMap);
  const outFirst = mapFirst(c.outMap);
  const maskFirst = mapFirst(c.maskMap);
  const turn = c.xMap ? turnOf(c.xMap, xFirst, c.images) : turnOf(c.outMap, outFirst, c.images);
  const rowBytes = c.width * c.channels * 4;
  const imageBytes = c.height * rowBytes;
  const outBytes = c.outHeight * c.outWidth * c.outputs * 4;

  const depth = roundUp(c.channels, 4);
  const columns = roundUp(c.outputs, 8);
  const most = roundUp(c.band * across, 4);
  const inPlane = planeBytes(most, depth);
  const outPlane = planeBytes(most, columns);
  const lineBytes = roundUp((across * 4 + 2) * c.channels * 4 + 16, 16);
  const zeros = c.scratch + thread * c.scratchBytes;
  const zeroBytes = roundUp(rowBytes, 16);
  const lines = zeros + zeroBytes;
  const v = lines + 6 * lineBytes;
  const m = v + 36 * inPlane;
  const products = m + 36 * outPlane;
  zero(zeros, zeroBytes);
  zero(lines, 6 * lineBytes);

  const all = c.images * down;
  offer(thread);
  for (let k = 0; k < threads; k++) {
    const owner = (thread + k) % threads; // its own share first
    const begin = share(all, owner, threads);
    const end = share(all, owner + 1, threads);
    const chunks = chunksOf(all, c.band, owner, threads);
    for (let chunk = claim(owner, chunks); chunk >= 0; chunk = claim(owner, chunks)) {
      const first = begin + chunk * c.band;
      const strips = min(c.band, end - first);
      for (let s = 0; s < strips; s++) {
        const n = turned((first + s) / down, turn, c.images);
        const row = ((first + s) % down) * 4 - c.paddingY;
        const x = c.x + <usize>rowOf(c.xMap, xFirst, n) * imageBytes;
        transformStrip(c, x, row, across, zeros, lines, lineBytes, v + s * across * depth * 4, depth * 4, inPlane);
      }
      multiply(v, inPlane, depth * 4, c.channels, c.weights, m, outPlane, columns, strips * across);
      for (let s = 0; s < strips; s++) {
        const n = turned((first + s) / down, turn, c.images);
        const row = ((first + s) % down) * 4;
        const offset = row * c.outWidth * c.outputs * 4;
        const out = c.out + <usize>rowOf(c.outMap, outFirst, n) * outBytes + offset;
        const residual = c.residual
          ? c.residual + <usize>rowOf(c.residualMap, residualFirst, n) * outBytes + offset
          : 0;
        const mask = c.mask ? c.mask + <usize>rowOf(c.maskMap, maskFirst, n) * outBytes + offset : 0;
        finishStrip(
          c, m + s * across * columns * 4, outPlane, columns, products, out, residual, mask,
          min(4, c.outHeight - row), across,
        );
      }
      finish(owner);
    }
  }
  awaitChunks(thread, chunksOf(all, c.band, thread, threads));
}

/** How many bands of strips are in a thread's share. */
function chunksOf(strips: i32, band: i32, thread: i32, threads: i32): i32 {
  return (share(strips, thread + 1, threads) - share(strips, thread, threads) + band - 1) / band;
}

/**
 * Bᵀ d B of the tiles whose input begins at `row`: first down the columns of the whole strip, since neighbouring
 * tiles share those, then along the rows of each tile. `lines` [6][columns][C] holds zeros outside the image.
 */
export function transformStrip(
  c: Geometry, x: usize, row: i32, across: i32, zeros: usize, lines: usize, lineBytes: i32,
  v: usize, tileBytes: i32, plane: i32,
): void {
  const pixel = c.channels * 4;
  const bytes = c.width * pixel;
  let p0 = lineOf(x, row, c.height, bytes, zeros);
  let p1 = lineOf(x, row + 1, c.height, bytes, zeros);
  let p2 = lineOf(x, row + 2, c.height, bytes, zeros);
  let p3 = lineOf(x, row + 3, c.height, bytes, zeros);
  let p4 = lineOf(x, row + 4, c.height, bytes, zeros);
  let p5 = lineOf(x, row + 5, c.height, bytes, zeros);
  const to = lines + c.paddingX * pixel;
  let i = 0;
  if (WIDE) {
    for (; i <= bytes - 32; i += 32) {
      transformInput(p0 + i, p1 + i, p2 + i, p3 + i, p4 + i, p5 + i, to + i, lineBytes, true);
    }
  }
  for (; i <= bytes - 16; i += 16) {
    transformInput(p0 + i, p1 + i, p2 + i, p3 + i, p4 + i, p5 + i, to + i, lineBytes, false);
  }
  // The last vector of a row that is no multiple of four overlaps the one before.
  if (bytes & 15) {
    i = bytes - 16;
    transformInput(p0 + i, p1 + i, p2 + i, p3 + i, p4 + i, p5 + i, to + i, lineBytes, false);
  }
  for (let i = 0; i < 6; i++) {
    let tile = v;
    let from = lines;
    for (let t = 0; t < across; t++) {
      const p1 = from + pixel;
      const p2 = p1 + pixel;
      const p3 = p2 + pixel;
      const p4 = p3 + pixel;
      const p5 = p4 + pixel;
      let k = 0;
      if (WIDE) {
        for (; k <= pixel - 32; k += 32) {
          transformInput(from + k, p1 + k, p2 + k, p3 + k, p4 + k, p5 + k, tile + k, plane, true);
        }
      }
      for (; k < pixel; k += 16) {
        transformInput(from + k, p1 + k, p2 + k, p3 + k, p4 + k, p5 + k, tile + k, plane, false);
      }
      from += pixel * 4;
      tile += tileBytes;
    }
    lines += lineBytes;
    v += plane * 6;
  }
}

/** The address of a row, or of zeros where there is none. */
// @ts-ignore: decorator
@inline
export function lineOf(x: usize, row: i32, height: i32, bytes: i32, zeros: usize): usize {
  return row >= 0 && row < height ? x + row * bytes : zeros;
}

/** act(scale·AᵀmA + bias + residual), masked, of a strip's tiles, clipped to `rows` and to the image's width. */
function finishStrip(
  c: WinogradConvolve, m: usize, plane: i32, columns: i32, lines: usize,
  out: usize, residual: usize, mask: usize, rows: i32, across: i32,
): void {
  const floor = f32x4.splat(c.relu ? 0 : -Infinity); // NaN passes through pmax(v, floor)
  const pixel = c.outputs * 4;
  const row = c.outWidth * pixel;
  const columnBytes = columns * 4;
  const bytes = across * columnBytes;
  const lineBytes = bytes * 6;
  for (let j = 0; j < 6; j++) {
    const line = lines + j * bytes;
    // `columns` is a multiple of 8.
    for (let i = 0; i < bytes; i += WIDE ? 32 : 16) transformProducts(m + i, plane * 6, line + i, lineBytes, WIDE);
    m += plane;
  }
  for (let r = 0; r < rows; r++) {
    let line = lines;
    let to = out;
    let add = residual;
    let keep = mask;
    for (let col = 0; col < c.outWidth; col += 4) {
      const cols = c.outWidth - col;
      let o = 0;
      if (WIDE && cols >= 4) {
        for (; o <= pixel - 32; o += 32) {
          finishVector(line + o, bytes, c.scale ? c.scale + o : ONES, c.bias ? c.bias + o : ZEROS, floor, add ? add + o : 0, keep ? keep + o : 0, to + o, pixel, 4, 8, true);
        }
      }
      for (; o < pixel; o += 16) {
        finishVector(line + o, bytes, c.scale ? c.scale + o : ONES, c.bias ? c.bias + o : ZEROS, floor, add ? add + o : 0, keep ? keep + o : 0, to + o, pixel, cols, (pixel - o) / 4, false);
      }
      line += columnBytes;
      to += pixel * 4;
      if (add) add += pixel * 4;
      if (keep) keep += pixel * 4;
    }
    lines += lineBytes;
    out += row;
    if (residual) residual += row;
    if (mask) mask += row;
  }
}

/** Aᵀm: from six addresses to four, one vector or, `wide`, two. */
// @ts-ignore: decorator
@inline
function transformProducts(p: usize, step: i32, to: usize, next: i32, wide: bool): void {
  const m0 = v128.load(p);
  const n0 = second(p, wide);
  p += step;
  const m1 = v128.load(p);
  const n1 = second(p, wide);
  p += step;
  const m2 = v128.load(p);
  const n2 = second(p, wide);
  p += step;
  const m3 = v128.load(p);
  const n3 = second(p, wide);
  p += step;
  const m4 = v128.load(p);
  const n4 = second(p, wide);
  p += step;
  const m5 = v128.load(p);
  const n5 = second(p, wide);
  const mSumA = f32x4.add(m1, m2);
  const nSumA = f32x4.add(n1, n2);
  const mSumB = f32x4.add(m3, m4);
  const nSumB = f32x4.add(n3, n4);
  const mDifferenceA = f32x4.sub(m1, m2);
  const nDifferenceA = f32x4.sub(n1, n2);
  const mDifferenceB = f32x4.sub(m3, m4);
  const nDifferenceB = f32x4.sub(n3, n4);
  put(to, output0(m0, mSumA, mSumB), output0(n0, nSumA, nSumB), wide);
  to += next;
  put(to, output1(mDifferenceA, mDifferenceB), output1(nDifferenceA, nDifferenceB), wide);
  to += next;
  put(to, output2(mSumA, mSumB), output2(nSumA, nSumB), wide);
  to += next;
  put(to, output3(mDifferenceA, mDifferenceB, m5), output3(nDifferenceA, nDifferenceB, n5), wide);
}

/** The same along a row of a tile, four pixels of four channels or, `wide`, eight, with the epilogue. */
// @ts-ignore: decorator
@inline
function finishVector(
  p: usize, step: i32, scale: usize, bias: usize, floor: v128, residual: usize, mask: usize, out: usize, pixel: i32, cols: i32, channels: i32, wide: bool,
): void {
  const m0 = v128.load(p);
  const n0 = second(p, wide);
  p += step;
  const m1 = v128.load(p);
  const n1 = second(p, wide);
  p += step;
  const m2 = v128.load(p);
  const n2 = second(p, wide);
  p += step;
  const m3 = v128.load(p);
  const n3 = second(p, wide);
  p += step;
  const m4 = v128.load(p);
  const n4 = second(p, wide);
  p += step;
  const m5 = v128.load(p);
  const n5 = second(p, wide);
  const mSumA = f32x4.add(m1, m2);
  const nSumA = f32x4.add(n1, n2);
  const mSumB = f32x4.add(m3, m4);
  const nSumB = f32x4.add(n3, n4);
  const mDifferenceA = f32x4.sub(m1, m2);
  const nDifferenceA = f32x4.sub(n1, n2);
  const mDifferenceB = f32x4.sub(m3, m4);
  const nDifferenceB = f32x4.sub(n3, n4);
  const b = v128.load(bias);
  const c = second(bias, wide);
  const s = v128.load(scale);
  const t = second(scale, wide);
  let y0 = madd(s, output0(m0, mSumA, mSumB), b);
  let z0 = madd(t, output0(n0, nSumA, nSumB), c);
  let y1 = madd(s, output1(mDifferenceA, mDifferenceB), b);
  let z1 = madd(t, output1(nDifferenceA, nDifferenceB), c);
  let y2 = madd(s, output2(mSumA, mSumB), b);
  let z2 = madd(t, output2(nSumA, nSumB), c);
  let y3 = madd(s, output3(mDifferenceA, mDifferenceB, m5), b);
  let z3 = madd(t, output3(nDifferenceA, nDifferenceB, n5), c);
  if (wide || (cols >= 4 && channels >= 4)) {
    const out2 = pixel * 2;
    const out3 = pixel * 3;
    if (residual) {
      y0 = f32x4.add(y0, v128.load(residual));
      z0 = f32x4.add(z0, second(residual, wide));
      y1 = f32x4.add(y1, v128.load(residual + pixel));
      z1 = f32x4.add(z1, second(residual + pixel, wide));
      y2 = f32x4.add(y2, v128.load(residual + out2));
      z2 = f32x4.add(z2, second(residual + out2, wide));
      y3 = f32x4.add(y3, v128.load(residual + out3));
      z3 = f32x4.add(z3, second(residual + out3, wide));
    }
    if (mask) {
      y0 = masked(y0, v128.load(mask));
      z0 = masked(z0, second(mask, wide));
      y1 = masked(y1, v128.load(mask + pixel));
      z1 = masked(z1, second(mask + pixel, wide));
      y2 = masked(y2, v128.load(mask + out2));
      z2 = masked(z2, second(mask + out2, wide));
      y3 = masked(y3, v128.load(mask + out3));
      z3 = masked(z3, second(mask + out3, wide));
    }
    put(out, f32x4.pmax(y0, floor), f32x4.pmax(z0, floor), wide);
    put(out + pixel, f32x4.pmax(y1, floor), f32x4.pmax(z1, floor), wide);
    put(out + out2, f32x4.pmax(y2, floor), f32x4.pmax(z2, floor), wide);
    put(out + out3, f32x4.pmax(y3, floor), f32x4.pmax(z3, floor), wide);
  } else {
    finishPixel(y0, floor, residual, mask, out, channels);
    for (let i = 1; i < min(cols, 4); i++) {
      out += pixel;
      if (residual) residual += pixel;
      if (mask) mask += pixel;
      finishPixel(i == 1 ? y1 : i == 2 ? y2 : y3, floor, residual, mask, out, channels);
    }
  }
}

/** The first `channels` (four at most) of one pixel. */
function finishPixel(y: v128, floor: v128, residual: usize, mask: usize, out: usize, channels: i32): void {
  if (residual) y = f32x4.add(y, v128.load(residual));
  if (mask) y = masked(y, v128.load(mask));
  y = f32x4.pmax(y, floor);
  if (channels >= 4) {
    v128.store(out, y);
    return;
  }
  f32.store(out, f32x4.extract_lane(y, 0));
  if (channels > 1) f32.store(out, f32x4.extract_lane(y, 1), 4);
  if (channels > 2) f32.store(out, f32x4.extract_lane(y, 2), 8);
}
