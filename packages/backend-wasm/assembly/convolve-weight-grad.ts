// ∂L/∂w of a convolution: each thread sums over its images into memory of their own, `combine` adds all up.
//
// In a padded channels-last image the pixels under a filter row are contiguous, kw·C floats. So the tile is
// 4 output channels × 8 floats of the filter row, and its accumulators stay in registers over a band of pixels. Where
// that leaves more of the vectors unused, as of images with three channels, a tile is 4 floats × 8 output channels.

import { madd, mapFirst, rowOf, share, shareOf, turned, turnOf } from "./common";
import { Geometry } from "./convolve";
import { depthwiseWeightGrad, isDepthwise } from "./depthwise";
import { copy, copyWindow, zero } from "./padding";
import { awaitChunks, claim, finish, offer, partOf } from "./sync";
import { fourth, put4, third, WIDE } from "./width";

@unmanaged
class WeightGrad extends Geometry {
  x: usize;
  xMap: usize;
  g: usize;
  gMap: usize;
  sums: usize; // [threads][parts][O][kh][kw·C/groups rounded up to 4]
  sumsBytes: i32;
  parts: i32; // of each thread's share of the images, see `partOf`
  tail: i32;
  small: i32; // images so small that threads rather divide filters: then `sums` is the result, of all images
}

export function convolveWeightGrad(args: usize, thread: i32, threads: i32): void {
  const c = changetype<WeightGrad>(args);
  if (c.small) {
    divideFilters(c, thread, threads);
    return;
  }
  offer(thread);
  for (let k = 0; k < threads; k++) {
    const owner = (thread + k) % threads; // its own share first
    for (let part = claim(owner, c.parts); part >= 0; part = claim(owner, c.parts)) {
      const begin = partOf(c.images, owner, threads, part, c.parts, c.tail);
      const end = partOf(c.images, owner, threads, part + 1, c.parts, c.tail);
      sumImages(c, thread, begin, end, c.sums + (owner * c.parts + part) * c.sumsBytes);
      finish(owner);
    }
  }
  awaitChunks(thread, c.parts);
}

/** The sums over the images begin … end; `thread` is the one whose scratch memory is used. */
function sumImages(c: WeightGrad, thread: i32, begin: i32, end: i32, sums: usize): void {
  const scratch = c.scratch + thread * c.scratchBytes;
  const across = tilesAcross(c);
  zero(sums, c.sumsBytes);
  const xFirst = mapFirst(c.xMap);
  const gFirst = mapFirst(c.gMap);
  const xBytes = c.height * c.width * c.channels * 4;
  const gBytes = c.outHeight * c.outWidth * c.outputs * 4;
  const turn = c.xMap ? turnOf(c.xMap, xFirst, c.images) : turnOf(c.gMap, gFirst, c.images);
  for (let i = begin; i < end; i++) {
    const n = turned(i, turn, c.images);
    const x = c.x + <usize>rowOf(c.xMap, xFirst, n) * xBytes;
    const g = c.g + <usize>rowOf(c.gMap, gFirst, n) * gBytes;
    if (isDepthwise(c)) depthwiseWeightGrad(c, x, g, sums);
    else imageWeightGrad(c, x, g, sums, scratch, across);
  }
  if (!across) return;
  copy(scratch, sums, c.sumsBytes);
  transpose(scratch, sums, c.sumsBytes / (c.outputs * 4), c.outputs);
}

/** Whether tiles are floats of the filter row × output channels: then sums are [kh][kw·C rounded up to 4][O] at first. */
function tilesAcross(c: WeightGrad): bool {
  if (c.groups > 1 || c.outputs & 3 || c.sumsBytes > c.scratchBytes) return false;
  const vectors = vectorsOf(c);
  return vectors * tilesIn(c.outputs / 4) < (c.outputs / 4) * tilesIn(vectors);
}

/** Vectors of a filter's row. */
function vectorsOf(c: WeightGrad): i32 {
  return (c.kernelWidth * (c.channels / c.groups) + 3) / 4;
}

/** How many tiles so many vectors are in `accumulateRow`: each takes about as long. */
function tilesIn(vectors: i32): i32 {
  const rest = WIDE ? vectors & 3 : vectors;
  return (WIDE ? vectors / 4 : 0) + rest / 2 + (rest & 1);
}

/** to [cols][rows] = from [rows][cols], floats. */
function transpose(from: usize, to: usize, rows: i32, cols: i32): void {
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) f32.store(to + (c * rows + r) * 4, f32.load(from + (r * cols + c) * 4));
  }
}

function imageWeightGrad(c: WeightGrad, x: usize, g: usize, sums: usize, scratch: usize, across: bool): void {
  const inputs = c.channels / c.groups;
  const outputs = c.outputs / c.groups;
  const gRow = c.outWidth * c.outputs * 4;
  const direct = c.groups == 1 && c.paddingX == 0 && c.paddingY == 0;
  const cols = direct ? c.width : (c.outWidth - 1) * c.strideX + c.kernelWidth;
  const row = cols * inputs * 4;
  const vectors = vectorsOf(c);
  const filterBytes = c.kernelHeight * vectors * 16;
  for (let y = 0; y < c.outHeight; y += c.band) {
    const rows = min(c.band, c.outHeight - y);
    for (let group = 0; group < c.groups; group++) {
      let window = x + y * c.strideY * row;
      if (!direct) {
        window = scratch;
        copyWindow(
          scratch, x + group * inputs * 4, c.channels * 4, inputs, c.height, c.width,
          y * c.strideY - c.paddingY, (rows - 1) * c.strideY + c.kernelHeight, -c.paddingX, cols,
        );
      }
      if (across) {
        const bytes = outputs * 4;
        for (let ky = 0; ky < c.kernelHeight; ky++) {
          for (let k = 0; k < vectors; k++) {
            accumulateRow(
              window + ky * row + k * 16, c.strideY * row, c.strideX * inputs * 4, g + y * gRow, gRow, bytes, rows,
              c.outWidth, sums + (ky * vectors + k) * 4 * bytes, bytes, bytes,
            );
          }
        }
        continue;
      }
      for (let o = 0; o < outputs; ) {
        const four = outputs - o >= 4;
        const channel = group * outputs + o;
        const gp = g + y * gRow + channel * 4;
        let to = sums + channel * filterBytes;
        for (let ky = 0; ky < c.kernelHeight; ky++) {
          const xp = window + ky * row;
          if (four) {
            accumulateRow(gp, gRow, c.outputs * 4, xp, c.strideY * row, c.strideX * inputs * 4, rows, c.outWidth, to, filterBytes, vectors * 16);
          } else {
            for (let v = 0; v < vectors * 16; v += 16) {
              accumulate1x4(gp, gRow, c.outputs * 4, xp + v, c.strideY * row, c.strideX * inputs * 4, rows, c.outWidth, to + v);
            }
          }
          to += vectors * 16;
        }
        o += four ? 4 : 1;
      }
    }
  }
}

/**
 * Each thread sums its filters over all images: for each tap over those pixels whose window has it inside. What is
 * summed is copied together before, since images are often apart by what makes them share cache sets.
 */
function divideFilters(c: WeightGrad, thread: i32, threads: i32): void {
  const first = shareOf(c.outputs, 4, thread, threads);
  const last = shareOf(c.outputs, 4, thread + 1, threads);
  const pixel = c.channels * 4;
  const filterBytes = c.kernelHeight * c.kernelWidth * pixel;
  zero(c.sums + first * filterBytes, (last - first) * filterBytes);
  const gCol = apart((last - first) * 4);
  const gRow = c.outWidth * c.images * gCol;
  const gs = c.scratch + thread * c.scratchBytes;
  const xCol = apart(pixel);
  const xs = gs + c.outHeight * gRow;
  gather(
    gs, gCol, c.g + first * 4, c.gMap, c.images, c.outHeight, c.outWidth * c.outputs * 4, c.outHeight * c.outWidth * c.outputs * 4,
    c.outWidth, c.outputs * 4, (last - first) * 4,
  );
  for (let ky = 0; ky < c.kernelHeight; ky++) {
    const y = firstInside(ky - c.paddingY, c.strideY);
    const rows = min(c.outHeight, firstInside(ky - c.paddingY - c.height, c.strideY)) - y;
    for (let kx = 0; kx < c.kernelWidth; kx++) {
      const x = firstInside(kx - c.paddingX, c.strideX);
      const cols = min(c.outWidth, firstInside(kx - c.paddingX - c.width, c.strideX)) - x;
      if (rows <= 0 || cols <= 0) continue;
      const place = (y * c.strideY + ky - c.paddingY) * c.width + x * c.strideX + kx - c.paddingX;
      gather(
        xs, xCol, c.x + place * pixel, c.xMap, c.images, rows, c.strideY * c.width * pixel, c.height * c.width * pixel,
        cols, c.strideX * pixel, pixel,
      );
      const count = cols * c.images;
      const g = gs + y * gRow + x * c.images * gCol;
      const to = c.sums + first * filterBytes + (ky * c.kernelWidth + kx) * pixel;
      for (let o = 0; o < last - first; ) {
        const four = last - first - o >= 4;
        const gp = g + o * 4;
        const sums = to + o * filterBytes;
        if (four) accumulateRow(gp, gRow, gCol, xs, count * xCol, xCol, rows, count, sums, filterBytes, pixel);
        else {
          for (let v = 0; v < pixel; v += 16) accumulate1x4(gp, gRow, gCol, xs + v, count * xCol, xCol, rows, count, sums + v);
        }
        o += four ? 4 : 1;
      }
    }
  }
}

/** Bytes between pixels of so many bytes each that do not share cache sets. */
function apart(bytes: i32): i32 {
  return ((bytes + 63) & ~63) + 64;
}

/** to [rows][cols][images], pixels `toCol` bytes apart = `bytes` of each pixel of a grid in each image. */
function gather(
  to: usize, toCol: i32, from: usize, map: usize, images: i32, rows: i32, row: i32, image: i32, cols: i32, col: i32, bytes: i32,
): void {
  const first = mapFirst(map);
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < cols; i++) {
      const source = from + r * row + i * col;
      for (let n = 0; n < images; n++) {
        copy(to, source + <usize>rowOf(map, first, n) * image, bytes);
        to += toCol;
      }
    }
  }
}

/** The first i from 0 on with i·stride + offset ≥ 0. */
function firstInside(offset: i32, stride: i32): i32 {
  return offset >= 0 ? 0 : (stride - 1 - offset) / stride;
}

/** sums[o][0 … 7] += Σ over pixels of g[o]·x[0 … 7], for 4 neighbouring o; 0 … 15, `wide`. Strides in bytes. */
// @ts-ignore: decorator
@inline
function accumulate4x8(
  g: usize, gRow: i32, gCol: i32, x: usize, xRow: i32, xCol: i32, rows: i32, cols: i32, sums: usize, next: i32, wide: bool,
): void {
  const s1 = sums + next;
  const s2 = s1 + next;
  const s3 = s2 + next;
  let a00 = v128.load(sums);
  let a01 = v128.load(sums, 16);
  let a02 = third(sums, wide);
  let a03 = fourth(sums, wide);
  let a10 = v128.load(s1);
  let a11 = v128.load(s1, 16);
  let a12 = third(s1, wide);
  let a13 = fourth(s1, wide);
  let a20 = v128.load(s2);
  let a21 = v128.load(s2, 16);
  let a22 = third(s2, wide);
  let a23 = fourth(s2, wide);
  let a30 = v128.load(s3);
  let a31 = v128.load(s3, 16);
  let a32 = third(s3, wide);
  let a33 = fourth(s3, wide);
  for (let r = 0; r < rows; r++) {
    let gp = g;
    let xp = x;
    for (let i = 0; i < cols; i++) {
      const x0 = v128.load(xp);
      const x1 = v128.load(xp, 16);
      const x2 = third(xp, wide);
      const x3 = fourth(xp, wide);
      const g0 = v128.load32_splat(gp);
      a00 = madd(g0, x0, a00);
      a01 = madd(g0, x1, a01);
      if (wide) a02 = madd(g0, x2, a02);
      if (wide) a03 = madd(g0, x3, a03);
      const g1 = v128.load32_splat(gp, 4);
      a10 = madd(g1, x0, a10);
      a11 = madd(g1, x1, a11);
      if (wide) a12 = madd(g1, x2, a12);
      if (wide) a13 = madd(g1, x3, a13);
      const g2 = v128.load32_splat(gp, 8);
      a20 = madd(g2, x0, a20);
      a21 = madd(g2, x1, a21);
      if (wide) a22 = madd(g2, x2, a22);
      if (wide) a23 = madd(g2, x3, a23);
      const g3 = v128.load32_splat(gp, 12);
      a30 = madd(g3, x0, a30);
      a31 = madd(g3, x1, a31);
      if (wide) a32 = madd(g3, x2, a32);
      if (wide) a33 = madd(g3, x3, a33);
      gp += gCol;
      xp += xCol;
    }
    g += gRow;
    x += xRow;
  }
  put4(sums, a00, a01, a02, a03, wide);
  put4(s1, a10, a11, a12, a13, wide);
  put4(s2, a20, a21, a22, a23, wide);
  put4(s3, a30, a31, a32, a33, wide);
}

/** The sums of all vectors of a filter's row, from the widest tiles on. */
function accumulateRow(
  g: usize, gRow: i32, gCol: i32, x: usize, xRow: i32, xCol: i32, rows: i32, cols: i32, sums: usize, next: i32, bytes: i32,
): void {
  let v = 0;
  if (WIDE) {
    for (; v <= bytes - 64; v += 64) {
      accumulate4x8(g, gRow, gCol, x + v, xRow, xCol, rows, cols, sums + v, next, true);
    }
  }
  for (; v <= bytes - 32; v += 32) {
    accumulate4x8(g, gRow, gCol, x + v, xRow, xCol, rows, cols, sums + v, next, false);
  }
  for (; v < bytes; v += 16) accumulate4x4(g, gRow, gCol, x + v, xRow, xCol, rows, cols, sums + v, next);
}

function accumulate4x4(
  g: usize, gRow: i32, gCol: i32, x: usize, xRow: i32, xCol: i32, rows: i32, cols: i32, sums: usize, next: i32,
): void {
  const s1 = sums + next;
  const s2 = s1 + next;
  const s3 = s2 + next;
  let a0 = v128.load(sums);
  let a1 = v128.load(s1);
  let a2 = v128.load(s2);
  let a3 = v128.load(s3);
  for (let r = 0; r < rows; r++) {
    let gp = g;
    let xp = x;
    for (let i = 0; i < cols; i++) {
      const x0 = v128.load(xp);
      a0 = madd(v128.load32_splat(gp), x0, a0);
      a1 = madd(v128.load32_splat(gp, 4), x0, a1);
      a2 = madd(v128.load32_splat(gp, 8), x0, a2);
      a3 = madd(v128.load32_splat(gp, 12), x0, a3);
      gp += gCol;
      xp += xCol;
    }
    g += gRow;
    x += xRow;
  }
  v128.store(sums, a0);
  v128.store(s1, a1);
  v128.store(s2, a2);
  v128.store(s3, a3);
}

function accumulate1x4(
  g: usize, gRow: i32, gCol: i32, x: usize, xRow: i32, xCol: i32, rows: i32, cols: i32, sums: usize,
): void {
  let a = v128.load(sums);
  for (let r = 0; r < rows; r++) {
    let gp = g;
    let xp = x;
    for (let i = 0; i < cols; i++) {
      a = madd(v128.load32_splat(gp), v128.load(xp), a);
      gp += gCol;
      xp += xCol;
    }
    g += gRow;
    x += xRow;
  }
  v128.store(sums, a);
}
