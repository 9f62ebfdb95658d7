// Convolution forward, and the matrix product as its 1×1 case.

import { mapFirst, RowMap, rowOf, share, shareOf, turned, turnOf } from "./common";
import { depthwise, isDepthwise } from "./depthwise";
import { copyWindow } from "./padding";
import { awaitChunks, claim, finish, offer } from "./sync";
import { convolveGrid } from "./tile";

/** Sizes of a convolution x [N][H][W][C] → y [N][OH][OW][O], in the order of the planner's `geometry`. */
@unmanaged
export class Geometry {
  images: i32;
  channels: i32;
  height: i32;
  width: i32;
  outputs: i32;
  outHeight: i32;
  outWidth: i32;
  kernelHeight: i32;
  kernelWidth: i32;
  strideY: i32;
  strideX: i32;
  paddingY: i32;
  paddingX: i32;
  groups: i32;
  band: i32; // rows treated at a time, so that what they need stays in the cache
  scratch: usize;
  scratchBytes: i32; // of one thread
}

/** The arguments of `convolve`. */
@unmanaged
export class Convolve extends Geometry {
  x: usize;
  xMap: usize;
  weights: usize; // packed
  scale: usize;
  bias: usize;
  residual: usize;
  residualMap: usize;
  out: usize;
  outMap: usize;
  relu: i32;
}

/**
 * Whether images are so small that each of their pixels is better computed for all images at once: the weights are
 * read less often then, and not multiplied with padding.
 */
export function isSmall(c: Geometry, images: i32, pixels: i32): bool {
  return c.groups == 1 && pixels <= 16 && images >= 4;
}

/** How many images from the n-th on follow one another in memory. */
export function together(map: usize, first: i32, n: i32): i32 {
  if (!map) return i32.MAX_VALUE;
  const modulo = changetype<RowMap>(map).modulo;
  return modulo - ((first + n) % modulo);
}

export function convolve(args: usize, thread: i32, threads: i32): void {
  const c = changetype<Convolve>(args);
  const xFirst = mapFirst(c.xMap);
  const residualFirst = mapFirst(c.residualMap);
  const outFirst = mapFirst(c.outMap);
  const xBytes = c.height * c.width * c.channels * 4;
  const outBytes = c.outHeight * c.outWidth * c.outputs * 4;
  const scratch = c.scratch + thread * c.scratchBytes;
  const begin = share(c.images, thread, threads);
  const end = share(c.images, thread + 1, threads);
  const turn = c.xMap ? turnOf(c.xMap, xFirst, c.images) : turnOf(c.outMap, outFirst, c.images);
  if (isSmall(c, end - begin, c.outHeight * c.outWidth)) {
    for (let i = begin; i < end; ) {
      const n = turned(i, turn, c.images);
      const near = min(together(c.xMap, xFirst, n), together(c.outMap, outFirst, n));
      const count = min(min(end - i, c.images - n), min(near, together(c.residualMap, residualFirst, n)));
      convolveSmall(
        c, c.x + <usize>rowOf(c.xMap, xFirst, n) * xBytes, xBytes,
        c.out + <usize>rowOf(c.outMap, outFirst, n) * outBytes, outBytes,
        c.residual ? c.residual + <usize>rowOf(c.residualMap, residualFirst, n) * outBytes : 0, count,
      );
      i += count;
    }
    return;
  }
  offer(thread);
  for (let k = 0; k < threads; k++) {
    const owner = (thread + k) % threads; // its own share first
    const start = share(c.images, owner, threads);
    const count = share(c.images, owner + 1, threads) - start;
    for (let i = claim(owner, count); i >= 0; i = claim(owner, count)) {
      const n = turned(start + i, turn, c.images);
      const x = c.x + <usize>rowOf(c.xMap, xFirst, n) * xBytes;
      const out = c.out + <usize>rowOf(c.outMap, outFirst, n) * outBytes;
      const residual = c.residual ? c.residual + <usize>rowOf(c.residualMap, residualFirst, n) * outBytes : 0;
      convolveImage(c, x, out, residual, scratch);
      finish(owner);
    }
  }
  awaitChunks(thread, end - begin);
}

/** Images `xBytes` and `outBytes` apart. */
function convolveSmall(
  c: Convolve, x: usize, xBytes: i32, out: usize, outBytes: i32, residual: usize, images: i32,
): void {
  const pixel = c.channels * 4;
  const tapBytes = c.kernelWidth * c.channels * 32;
  for (let y = 0; y < c.outHeight; y++) {
    const top = y * c.strideY - c.paddingY;
    const ky = max(0, -top);
    const taps = max(0, min(c.kernelHeight, c.height - top) - ky);
    for (let col = 0; col < c.outWidth; col++) {
      const left = col * c.strideX - c.paddingX;
      const kx = max(0, -left);
      const across = max(0, min(c.kernelWidth, c.width - left) - kx);
      convolveGrid(
        x + ((top + ky) * c.width + left + kx) * pixel, xBytes, 0, images, 1,
        across ? taps : 0, c.width * pixel, across * c.channels,
        c.weights + ky * tapBytes + kx * c.channels * 32, c.kernelHeight * tapBytes, tapBytes,
        out, outBytes, 0, c.outputs, c.scale, c.bias, residual, c.relu != 0,
      );
      out += c.outputs * 4;
      if (residual) residual += c.outputs * 4;
    }
  }
}

function convolveImage(c: Convolve, x: usize, out: usize, residual: usize, scratch: usize): void {
  if (isDepthwise(c)) {
    depthwise(c, x, c.weights, c.scale, c.bias, residual, c.relu != 0, out);
    return;
  }
  const inputs = c.channels / c.groups;
  const outputs = c.outputs / c.groups;
  const outRow = c.outWidth * c.outputs * 4;
  const tapBytes = c.kernelWidth * inputs * 32;
  const blockBytes = c.kernelHeight * tapBytes;
  const groupBytes = ((outputs + 7) / 8) * blockBytes;
  if (c.groups == 1 && c.paddingX == 0 && c.paddingY == 0) {
    const row = c.width * c.channels * 4;
    convolveGrid(
      x, c.strideY * row, c.strideX * c.channels * 4, c.outHeight, c.outWidth,
      c.kernelHeight, row, c.kernelWidth * c.channels, c.weights, blockBytes, tapBytes,
      out, outRow, c.outputs * 4, c.outputs, c.scale, c.bias, residual, c.relu != 0,
    );
    return;
  }
  const cols = (c.outWidth - 1) * c.strideX + c.kernelWidth;
  const row = cols * inputs * 4;
  for (let y = 0; y < c.outHeight; y += c.band) {
    const rows = min(c.band, c.outHeight - y);
    for (let g = 0; g < c.groups; g++) {
      copyWindow(
        scratch, x + g * inputs * 4, c.channels * 4, inputs, c.height, c.width,
        y * c.strideY - c.paddingY, (rows - 1) * c.strideY + c.kernelHeight, -c.paddingX, cols,
      );
      const offset = y * outRow + g * outputs * 4;
      convolveGrid(
        scratch, c.strideY * row, c.strideX * inputs * 4, rows, c.outWidth,
        c.kernelHeight, row, c.kernelWidth * inputs, c.weights + g * groupBytes, blockBytes, tapBytes,
        out + offset, outRow, c.outputs * 4, outputs,
        c.scale ? c.scale + g * outputs * 4 : 0, c.bias ? c.bias + g * outputs * 4 : 0, residual ? residual + offset : 0, c.relu != 0,
      );
    }
  }
}

/** out [rows][columns] = a [rows][depth] · packed. */
@unmanaged
class MatMul {
  a: usize;
  packed: usize;
  out: usize;
  rows: i32;
  depth: i32;
  columns: i32;
}

export function matmul(args: usize, thread: i32, threads: i32): void {
  const m = changetype<MatMul>(args);
  const begin = shareOf(m.rows, 4, thread, threads);
  const end = shareOf(m.rows, 4, thread + 1, threads);
  if (begin == end) return;
  convolveGrid(
    m.a + begin * m.depth * 4, 0, m.depth * 4, 1, end - begin, 1, 0, m.depth, m.packed, m.depth * 32, m.depth * 32,
    m.out + begin * m.columns * 4, 0, m.columns * 4, m.columns, 0, 0, 0, false,
  );
}
