// Depthwise convolution, each channel with a filter of its own, and its gradients: in channels-last images eight
// neighbouring channels are a pair of vectors, for which the taps are summed in registers. Weights are packed as
// [C/8][taps][8]; C is a multiple of 8.

import { madd, relu4 } from "./common";
import { Geometry } from "./convolve";
import { tapsOf } from "./pack";

// @ts-ignore: decorator
@inline
export function isDepthwise(c: Geometry): bool {
  return c.groups == c.channels && c.groups == c.outputs && c.channels % 8 == 0;
}

/** Of a window that begins at pixel `from`: the first tap that lies in the image, and one past the last. */
// @ts-ignore: decorator
@inline
function firstTap(from: i32): i32 {
  return max(0, -from);
}

// @ts-ignore: decorator
@inline
function endTap(from: i32, kernel: i32, length: i32): i32 {
  return min(kernel, length - from);
}

/** One image: out = act(scale·(x ∗ w) + bias + residual). scale, bias and residual may be 0. */
export function depthwise(
  c: Geometry, x: usize, weights: usize, scale: usize, bias: usize, residual: usize, relu: bool, out: usize,
): void {
  const pixel = c.channels * 4;
  const row = c.width * pixel;
  for (let y = 0; y < c.outHeight; y++) {
    const top = y * c.strideY - c.paddingY;
    const ky = firstTap(top);
    const down = endTap(top, c.kernelHeight, c.height) - ky;
    for (let z = 0; z < c.outWidth; z++) {
      const left = z * c.strideX - c.paddingX;
      const kx = firstTap(left);
      const across = endTap(left, c.kernelWidth, c.width) - kx;
      sumTaps(
        x + (top + ky) * row + (left + kx) * pixel, row, pixel, down, across,
        weights + (ky * c.kernelWidth + kx) * 32, c.kernelWidth * 32, 32, c.kernelHeight * c.kernelWidth * 32,
        c.channels, scale, bias, residual, relu, out,
      );
      out += pixel;
      if (residual) residual += pixel;
    }
  }
}

/** One image: out = base + ∂L/∂x. base may be 0. */
export function depthwiseInputGrad(c: Geometry, g: usize, weights: usize, base: usize, out: usize): void {
  const pixel = c.channels * 4;
  const row = c.outWidth * pixel;
  for (let y = 0; y < c.height; y++) {
    // Row y receives from taps ky ≡ y + padding (mod stride), from row (y + padding − ky)/stride of g.
    const a = (y + c.paddingY) % c.strideY;
    const q = (y + c.paddingY) / c.strideY;
    const j = max(0, q - c.outHeight + 1);
    const down = min(q + 1, tapsOf(c.kernelHeight, a, c.strideY)) - j;
    for (let z = 0; z < c.width; z++) {
      const b = (z + c.paddingX) % c.strideX;
      const r = (z + c.paddingX) / c.strideX;
      const i = max(0, r - c.outWidth + 1);
      const across = min(r + 1, tapsOf(c.kernelWidth, b, c.strideX)) - i;
      sumTaps(
        g + (q - j) * row + (r - i) * pixel, -row, -pixel, down, across,
        weights + ((a + j * c.strideY) * c.kernelWidth + b + i * c.strideX) * 32,
        c.strideY * c.kernelWidth * 32, c.strideX * 32, c.kernelHeight * c.kernelWidth * 32,
        c.channels, 0, 0, base, false, out,
      );
      out += pixel;
      if (base) base += pixel;
    }
  }
}

/** One pixel of the result: the sum over down × across taps, each step of which moves in x and in w. */
function sumTaps(
  x: usize, xDown: i32, xAcross: i32, down: i32, across: i32, w: usize, wDown: i32, wAcross: i32, wBlock: i32,
  channels: i32, scale: usize, bias: usize, residual: usize, relu: bool, out: usize,
): void {
  for (let c = 0; c < channels * 4; c += 32) {
    let a0 = f32x4.splat(0);
    let a1 = a0;
    let xp = x + c;
    let wp = w;
    for (let i = 0; i < down; i++) {
      let p = xp;
      let v = wp;
      for (let j = 0; j < across; j++) {
        a0 = madd(v128.load(p), v128.load(v), a0);
        a1 = madd(v128.load(p, 16), v128.load(v, 16), a1);
        p += xAcross;
        v += wAcross;
      }
      xp += xDown;
      wp += wDown;
    }
    if (scale) {
      a0 = f32x4.mul(a0, v128.load(scale + c));
      a1 = f32x4.mul(a1, v128.load(scale + c, 16));
    }
    if (bias) {
      a0 = f32x4.add(a0, v128.load(bias + c));
      a1 = f32x4.add(a1, v128.load(bias + c, 16));
    }
    if (residual) {
      a0 = f32x4.add(a0, v128.load(residual + c));
      a1 = f32x4.add(a1, v128.load(residual + c, 16));
    }
    v128.store(out + c, relu ? relu4(a0) : a0);
    v128.store(out + c, relu ? relu4(a1) : a1, 16);
    w += wBlock;
  }
}

/** One image's ∂L/∂w, added to sums [C][kh][kw rounded up to 4]. */
export function depthwiseWeightGrad(c: Geometry, x: usize, g: usize, sums: usize): void {
  const pixel = c.channels * 4;
  const xStep = c.strideX * pixel;
  const rowBytes = ((c.kernelWidth + 3) / 4) * 16;
  const filter = c.kernelHeight * rowBytes;
  for (let channel = 0; channel < c.channels; channel += 8) {
    for (let ky = 0; ky < c.kernelHeight; ky++) {
      const y0 = firstOutput(ky - c.paddingY, c.strideY);
      const y1 = endOutput(ky - c.paddingY, c.strideY, c.height, c.outHeight);
      for (let kx = 0; kx < c.kernelWidth; kx++) {
        const z0 = firstOutput(kx - c.paddingX, c.strideX);
        const z1 = endOutput(kx - c.paddingX, c.strideX, c.width, c.outWidth);
        let a0 = f32x4.splat(0);
        let a1 = a0;
        for (let y = y0; y < y1; y++) {
          let gp = g + (y * c.outWidth + z0) * pixel + channel * 4;
          const row = (y * c.strideY - c.paddingY + ky) * c.width;
          let xp = x + (row + z0 * c.strideX - c.paddingX + kx) * pixel + channel * 4;
          for (let z = z0; z < z1; z++) {
            a0 = madd(v128.load(xp), v128.load(gp), a0);
            a1 = madd(v128.load(xp, 16), v128.load(gp, 16), a1);
            gp += pixel;
            xp += xStep;
          }
        }
        addLanes(sums + channel * filter + ky * rowBytes + kx * 4, filter, a0);
        addLanes(sums + (channel + 4) * filter + ky * rowBytes + kx * 4, filter, a1);
      }
    }
  }
}

/** The first result whose tap at `offset` from its window's begin lies in the image, and one past the last. */
// @ts-ignore: decorator
@inline
function firstOutput(offset: i32, stride: i32): i32 {
  return offset >= 0 ? 0 : (-offset + stride - 1) / stride;
}

// @ts-ignore: decorator
@inline
function endOutput(offset: i32, stride: i32, length: i32, outputs: i32): i32 {
  return length <= offset ? 0 : min(outputs, (length - 1 - offset) / stride + 1);
}

function addLanes(to: usize, step: i32, v: v128): void {
  f32.store(to, f32.load(to) + f32x4.extract_lane(v, 0));
  to += step;
  f32.store(to, f32.load(to) + f32x4.extract_lane(v, 1));
  to += step;
  f32.store(to, f32.load(to) + f32x4.extract_lane(v, 2));
  to += step;
  f32.store(to, f32.load(to) + f32x4.extract_lane(v, 3));
}
