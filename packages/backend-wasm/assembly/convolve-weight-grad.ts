// ∂L/∂w of a convolution: each thread sums over its images into its own memory, `combine` adds the threads up.
//
// In a padded channels-last image the pixels under a filter row are contiguous, kw·C floats. So the tile is
// 4 output channels × 8 floats of the filter row, and its accumulators stay in registers over a band of pixels.

import { madd, mapFirst, rowOf, share, turned, turnOf } from "./common";
import { Geometry, isLine } from "./convolve";
import { depthwiseWeightGrad, isDepthwise } from "./depthwise";
import { copyWindow, zero } from "./padding";

@unmanaged
class WeightGrad extends Geometry {
  x: usize;
  xMap: usize;
  g: usize;
  gMap: usize;
  sums: usize; // [threads][O][kh][kw·C/groups rounded up to 4]
  sumsBytes: i32;
}

export function convolveWeightGrad(args: usize, thread: i32, threads: i32): void {
  const c = changetype<WeightGrad>(args);
  const sums = c.sums + thread * c.sumsBytes;
  zero(sums, c.sumsBytes);
  const xFirst = mapFirst(c.xMap);
  const gFirst = mapFirst(c.gMap);
  const xBytes = c.height * c.width * c.channels * 4;
  const gBytes = c.outHeight * c.outWidth * c.outputs * 4;
  const scratch = c.scratch + thread * c.scratchBytes;
  const begin = share(c.images, thread, threads);
  const end = share(c.images, thread + 1, threads);
  if (isLine(c) && !c.xMap && !c.gMap) {
    // The lines of all images are one image's: so the sums are read and written once, not for each image.
    windowWeightGrad(c, c.x + begin * xBytes, c.width * c.channels * 4, xBytes, c.g + begin * gBytes, gBytes, end - begin, sums);
    return;
  }
  const turn = c.xMap ? turnOf(c.xMap, xFirst, c.images) : turnOf(c.gMap, gFirst, c.images);
  for (let i = begin; i < end; i++) {
    const n = turned(i, turn, c.images);
    const x = c.x + <usize>rowOf(c.xMap, xFirst, n) * xBytes;
    const g = c.g + <usize>rowOf(c.gMap, gFirst, n) * gBytes;
    if (isDepthwise(c)) depthwiseWeightGrad(c, x, g, sums);
    else imageWeightGrad(c, x, g, sums, scratch);
  }
}

function imageWeightGrad(c: WeightGrad, x: usize, g: usize, sums: usize, scratch: usize): void {
  const inputs = c.channels / c.groups;
  const outputs = c.outputs / c.groups;
  const gRow = c.outWidth * c.outputs * 4;
  const direct = c.groups == 1 && c.paddingX == 0 && c.paddingY == 0;
  const cols = direct ? c.width : (c.outWidth - 1) * c.strideX + c.kernelWidth;
  const row = cols * inputs * 4;
  const groupBytes = outputs * filterBytes(c);
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
      const gp = g + y * gRow + group * outputs * 4;
      windowWeightGrad(c, window, row, c.strideY * row, gp, gRow, rows, sums + group * groupBytes);
    }
  }
}

/** Bytes of a filter's sums: [kh][kw·C/groups rounded up to 4]. */
function filterBytes(c: WeightGrad): i32 {
  return c.kernelHeight * ((c.kernelWidth * (c.channels / c.groups) + 3) / 4) * 16;
}

/**
 * Sums over `rows` rows of a group's pixels. Their windows are xRow bytes apart, the rows under a window's filter rows
 * `tapRow`.
 */
function windowWeightGrad(
  c: WeightGrad, x: usize, tapRow: i32, xRow: i32, g: usize, gRow: i32, rows: i32, sums: usize,
): void {
  const inputs = c.channels / c.groups;
  const outputs = c.outputs / c.groups;
  const vectors = (c.kernelWidth * inputs + 3) / 4;
  const next = filterBytes(c);
  const gCol = c.outputs * 4;
  const xCol = c.strideX * inputs * 4;
  for (let o = 0; o < outputs; ) {
    const wide = outputs - o >= 4;
    const gp = g + o * 4;
    let to = sums + o * next;
    for (let ky = 0; ky < c.kernelHeight; ky++) {
      let xp = x + ky * tapRow;
      let v = 0;
      if (wide) {
        for (; v + 2 <= vectors; v += 2) {
          accumulate4x2(gp, gRow, gCol, xp, xRow, xCol, rows, c.outWidth, to, next);
          xp += 32;
          to += 32;
        }
        for (; v < vectors; v++) {
          accumulate4x1(gp, gRow, gCol, xp, xRow, xCol, rows, c.outWidth, to, next);
          xp += 16;
          to += 16;
        }
      } else {
        for (; v < vectors; v++) {
          accumulate1x1(gp, gRow, gCol, xp, xRow, xCol, rows, c.outWidth, to);
          xp += 16;
          to += 16;
        }
      }
    }
    o += wide ? 4 : 1;
  }
}

/** sums[o][0 … 7] += Σ over pixels of g[o]·x[0 … 7], for 4 neighbouring o. Strides in bytes. */
function accumulate4x2(
  g: usize, gRow: i32, gCol: i32, x: usize, xRow: i32, xCol: i32, rows: i32, cols: i32, sums: usize, next: i32,
): void {
  const s1 = sums + next;
  const s2 = s1 + next;
  const s3 = s2 + next;
  let a00 = v128.load(sums);
  let a01 = v128.load(sums, 16);
  let a10 = v128.load(s1);
  let a11 = v128.load(s1, 16);
  let a20 = v128.load(s2);
  let a21 = v128.load(s2, 16);
  let a30 = v128.load(s3);
  let a31 = v128.load(s3, 16);
  for (let r = 0; r < rows; r++) {
    let gp = g;
    let xp = x;
    for (let i = 0; i < cols; i++) {
      const x0 = v128.load(xp);
      const x1 = v128.load(xp, 16);
      const g0 = v128.load32_splat(gp);
      a00 = madd(g0, x0, a00);
      a01 = madd(g0, x1, a01);
      const g1 = v128.load32_splat(gp, 4);
      a10 = madd(g1, x0, a10);
      a11 = madd(g1, x1, a11);
      const g2 = v128.load32_splat(gp, 8);
      a20 = madd(g2, x0, a20);
      a21 = madd(g2, x1, a21);
      const g3 = v128.load32_splat(gp, 12);
      a30 = madd(g3, x0, a30);
      a31 = madd(g3, x1, a31);
      gp += gCol;
      xp += xCol;
    }
    g += gRow;
    x += xRow;
  }
  v128.store(sums, a00);
  v128.store(sums, a01, 16);
  v128.store(s1, a10);
  v128.store(s1, a11, 16);
  v128.store(s2, a20);
  v128.store(s2, a21, 16);
  v128.store(s3, a30);
  v128.store(s3, a31, 16);
}

function accumulate4x1(
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

function accumulate1x1(
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
