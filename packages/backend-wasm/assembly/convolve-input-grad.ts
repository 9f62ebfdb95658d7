// ∂L/∂x of a convolution plus what else is added to it, masked by a ReLU's results, as one convolution of g for each
// class of pixels of x.
//
// Pixel y of x receives from taps ky with (y + padding − ky) divisible by the stride. With
// a = (y + padding) mod stride and q = (y + padding − a)/stride these are ky = a + stride·j, and the row of g is
// q − j: a stride-1 convolution over q with the taps of class a. At stride 1 there is one class, and this is the
// usual convolution with the kernel turned round.

import { mapFirst, masked, rowOf, share, turned, turnOf } from "./common";
import { Geometry, isSmall, together } from "./convolve";
import { depthwiseInputGrad, isDepthwise } from "./depthwise";
import { tapsOf } from "./pack";
import { copyWindow } from "./padding";
import { awaitChunks, claim, finish, offer } from "./sync";
import { convolveGrid } from "./tile";

@unmanaged
class InputGrad extends Geometry {
  g: usize;
  gMap: usize;
  weights: usize; // packed
  base: usize; // what is added, may be 0; not `out`
  baseMap: usize;
  out: usize;
  outMap: usize;
  mask: usize; // results are kept where this is positive, may be 0
  maskMap: usize;
}

export function convolveInputGrad(args: usize, thread: i32, threads: i32): void {
  const c = changetype<InputGrad>(args);
  const gFirst = mapFirst(c.gMap);
  const baseFirst = mapFirst(c.baseMap);
  const outFirst = mapFirst(c.outMap);
  const maskFirst = mapFirst(c.maskMap);
  const xBytes = c.height * c.width * c.channels * 4;
  const gBytes = c.outHeight * c.outWidth * c.outputs * 4;
  const scratch = c.scratch + thread * c.scratchBytes;
  const begin = share(c.images, thread, threads);
  const end = share(c.images, thread + 1, threads);
  const small = isSmall(c, end - begin, c.height * c.width);
  const turn = c.gMap ? turnOf(c.gMap, gFirst, c.images) : turnOf(c.outMap, outFirst, c.images);
  for (let i = begin; small && i < end; ) {
    const n = turned(i, turn, c.images);
    const near = min(together(c.gMap, gFirst, n), together(c.outMap, outFirst, n));
    const count = min(min(end - i, c.images - n), near);
    const out = c.out + <usize>rowOf(c.outMap, outFirst, n) * xBytes;
    smallInputGrad(c, c.g + <usize>rowOf(c.gMap, gFirst, n) * gBytes, gBytes, out, xBytes, count);
    i += count;
  }
  // Small images are computed by then, so that what is left of them can be done by any thread.
  offer(thread);
  for (let k = 0; k < threads; k++) {
    const owner = (thread + k) % threads; // its own share first
    const start = share(c.images, owner, threads);
    const count = share(c.images, owner + 1, threads) - start;
    const done = isSmall(c, count, c.height * c.width);
    for (let i = claim(owner, count); i >= 0; i = claim(owner, count)) {
      const n = turned(start + i, turn, c.images);
      const g = c.g + <usize>rowOf(c.gMap, gFirst, n) * gBytes;
      const out = c.out + <usize>rowOf(c.outMap, outFirst, n) * xBytes;
      const base = c.base ? c.base + <usize>rowOf(c.baseMap, baseFirst, n) * xBytes : 0;
      if (isDepthwise(c)) depthwiseInputGrad(c, g, c.weights, base, out);
      else {
        if (!done) imageGrad(c, g, out, scratch);
        // In a pass of its own, in order of memory: tiles of a class, stride pixels apart, would wait for each line.
        if (base) addTo(out, base, xBytes);
      }
      if (c.mask) maskBy(out, c.mask + <usize>rowOf(c.maskMap, maskFirst, n) * xBytes, xBytes);
      finish(owner);
    }
  }
  awaitChunks(thread, end - begin);
}

// @ts-ignore: decorator
@inline
function ceilDiv(a: i32, b: i32): i32 {
  return a >= 0 ? (a + b - 1) / b : -(-a / b);
}

// @ts-ignore: decorator
@inline
function floorDiv(a: i32, b: i32): i32 {
  return a >= 0 ? a / b : -((-a + b - 1) / b);
}

function addTo(out: usize, base: usize, bytes: i32): void {
  let i = 0;
  for (; i <= bytes - 16; i += 16) v128.store(out + i, f32x4.add(v128.load(out + i), v128.load(base + i)));
  for (; i < bytes; i += 4) f32.store(out + i, f32.load(out + i) + f32.load(base + i));
}

function maskBy(out: usize, mask: usize, bytes: i32): void {
  let i = 0;
  for (; i <= bytes - 16; i += 16) v128.store(out + i, masked(v128.load(out + i), v128.load(mask + i)));
  for (; i < bytes; i += 4) if (!(f32.load(mask + i) > 0)) f32.store(out + i, 0);
}

/** Of images `gBytes` and `xBytes` apart, pixel by pixel of x: from the taps of its class that lie inside of g. */
function smallInputGrad(c: InputGrad, g: usize, gBytes: i32, out: usize, xBytes: i32, images: i32): void {
  const pixel = c.outputs * 4;
  let weights = c.weights;
  for (let a = 0; a < c.strideY; a++) {
    const down = tapsOf(c.kernelHeight, a, c.strideY);
    for (let b = 0; b < c.strideX; b++) {
      const across = tapsOf(c.kernelWidth, b, c.strideX);
      const tapBytes = across * c.outputs * 32;
      for (let q = ceilDiv(c.paddingY - a, c.strideY); ; q++) {
        const y = q * c.strideY - c.paddingY + a;
        if (y >= c.height) break;
        const top = q - down + 1;
        const ky = max(0, -top);
        const taps = max(0, min(down, c.outHeight - top) - ky);
        for (let r = ceilDiv(c.paddingX - b, c.strideX); ; r++) {
          const x = r * c.strideX - c.paddingX + b;
          if (x >= c.width) break;
          const left = r - across + 1;
          const kx = max(0, -left);
          const inside = max(0, min(across, c.outWidth - left) - kx);
          convolveGrid(
            g + ((top + ky) * c.outWidth + left + kx) * pixel, gBytes, 0, images, 1,
            inside ? taps : 0, c.outWidth * pixel, inside * c.outputs,
            weights + ky * tapBytes + kx * c.outputs * 32, down * tapBytes, tapBytes,
            out + (y * c.width + x) * c.channels * 4, xBytes, 0, c.channels,
            0, 0, 0, false,
          );
        }
      }
      weights += ((c.channels + 7) / 8) * down * tapBytes;
    }
  }
}

function imageGrad(c: InputGrad, g: usize, out: usize, scratch: usize): void {
  const inputs = c.channels / c.groups;
  const outputs = c.outputs / c.groups;
  const tapsY = tapsOf(c.kernelHeight, 0, c.strideY);
  const tapsX = tapsOf(c.kernelWidth, 0, c.strideX);
  // The range of q over all classes, in both directions.
  const firstY = ceilDiv(c.paddingY - c.strideY + 1, c.strideY);
  const firstX = ceilDiv(c.paddingX - c.strideX + 1, c.strideX);
  const lastY = floorDiv(c.height - 1 + c.paddingY, c.strideY);
  const lastX = floorDiv(c.width - 1 + c.paddingX, c.strideX);
  const cols = lastX - firstX + tapsX;
  const row = cols * outputs * 4;
  const groupBytes = ((inputs + 7) / 8) * c.kernelHeight * c.kernelWidth * outputs * 32;
  for (let q = firstY; q <= lastY; q += c.band) {
    const rows = min(c.band, lastY + 1 - q);
    for (let group = 0; group < c.groups; group++) {
      copyWindow(
        scratch, g + group * outputs * 4, c.outputs * 4, outputs, c.outHeight, c.outWidth,
        q - tapsY + 1, rows + tapsY - 1, firstX - tapsX + 1, cols,
      );
      let weights = c.weights + group * groupBytes;
      for (let a = 0; a < c.strideY; a++) {
        const down = tapsOf(c.kernelHeight, a, c.strideY);
        const q0 = max(q, ceilDiv(c.paddingY - a, c.strideY));
        const q1 = min(q + rows, floorDiv(c.height - 1 + c.paddingY - a, c.strideY) + 1);
        for (let b = 0; b < c.strideX; b++) {
          const across = tapsOf(c.kernelWidth, b, c.strideX);
          const r0 = ceilDiv(c.paddingX - b, c.strideX);
          const r1 = floorDiv(c.width - 1 + c.paddingX - b, c.strideX) + 1;
          if (q0 < q1 && r0 < r1) {
            const y = q0 * c.strideY - c.paddingY + a;
            const x = r0 * c.strideX - c.paddingX + b;
            const offset = ((y * c.width + x) * c.channels + group * inputs) * 4;
            convolveGrid(
              scratch + (q0 - q + tapsY - down) * row + (r0 - firstX + tapsX - across) * outputs * 4,
              row, outputs * 4, q1 - q0, r1 - r0,
              across ? down : 0, row, across * outputs, weights, down * across * outputs * 32, across * outputs * 32,
              out + offset,
              c.strideY * c.width * c.channels * 4, c.strideX * c.channels * 4, inputs,
              0, 0, 0, false,
            );
          }
          weights += ((inputs + 7) / 8) * down * across * outputs * 32;
        }
      }
    }
  }
}
