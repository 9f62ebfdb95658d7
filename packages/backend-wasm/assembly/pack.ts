// Weights rearranged for the register tile: blocks of 8 result channels, zeros where the last one is short.

import { share } from "./common";

/** to[b][k][l] = from[(8·b + l)·laneStride + k·stride]; `blocks` of each of `groups` result ranges. */
@unmanaged
class Pack {
  from: usize;
  to: usize;
  groups: i32;
  channels: i32; // of one group
  depth: i32; // k
  laneStride: i32; // in floats
  stride: i32; // in floats
}

export function pack(args: usize, thread: i32, threads: i32): void {
  const a = changetype<Pack>(args);
  const blocks = (a.channels + 7) / 8;
  const total = blocks * a.groups;
  const end = share(total, thread + 1, threads);
  for (let i = share(total, thread, threads); i < end; i++) {
    const group = i / blocks;
    const first = (i % blocks) * 8;
    const count = min(8, a.channels - first);
    const to = a.to + i * a.depth * 32;
    const from = a.from + (group * a.channels + first) * a.laneStride * 4;
    packBlock(to, from, a.depth, count, a.laneStride * 4, a.stride * 4, 0);
  }
}

/** One block: to[k][l] = scale[k]·from[l·laneBytes + k·strideBytes] for l < count, 0 for the others; scale may be 0. */
function packBlock(
  to: usize, from: usize, depth: i32, count: i32, laneBytes: i32, strideBytes: i32, scale: usize,
): void {
  for (let k = 0; k < depth; k++) {
    const factor: f32 = scale ? f32.load(scale + k * 4) : 1;
    let source = from;
    let l = 0;
    for (; l < count; l++) {
      f32.store(to + l * 4, f32.load(source) * factor);
      source += laneBytes;
    }
    for (; l < 8; l++) f32.store(to + l * 4, 0);
    from += strideBytes;
    to += 32;
  }
}

/**
 * Weights [O][kh][kw][I] for the input gradient: for each class (a, b) of output pixels (see
 * convolve-input-grad.ts), [⌈I/8⌉][taps down][taps across, O][8], taps in reverse.
 */
@unmanaged
class PackInputGrad {
  from: usize;
  to: usize;
  groups: i32;
  inputs: i32; // of one group
  outputs: i32; // of one group
  kernelHeight: i32;
  kernelWidth: i32;
  strideY: i32;
  strideX: i32;
  scale: usize; // factors of the outputs, may be 0
}

export function packInputGrad(args: usize, thread: i32, threads: i32): void {
  const p = changetype<PackInputGrad>(args);
  const blocks = (p.inputs + 7) / 8;
  const end = share(blocks * p.groups, thread + 1, threads);
  const tapBytes = p.inputs * 4;
  const filterBytes = p.kernelHeight * p.kernelWidth * tapBytes;
  const groupBytes = blocks * p.kernelHeight * p.kernelWidth * p.outputs * 32;
  for (let i = share(blocks * p.groups, thread, threads); i < end; i++) {
    const group = i / blocks;
    const block = i % blocks;
    const count = min(8, p.inputs - block * 8);
    const from = p.from + group * p.outputs * filterBytes + block * 32;
    const scale = p.scale ? p.scale + group * p.outputs * 4 : 0;
    let classStart = p.to + group * groupBytes;
    for (let a = 0; a < p.strideY; a++) {
      for (let b = 0; b < p.strideX; b++) {
        const down = tapsOf(p.kernelHeight, a, p.strideY);
        const across = tapsOf(p.kernelWidth, b, p.strideX);
        let to = classStart + block * down * across * p.outputs * 32;
        for (let t = down - 1; t >= 0; t--) {
          for (let u = across - 1; u >= 0; u--) {
            const tap = (a + p.strideY * t) * p.kernelWidth + b + p.strideX * u;
            packBlock(to, from + tap * tapBytes, p.outputs, count, 4, filterBytes, scale);
            to += p.outputs * 32;
          }
        }
        classStart += blocks * down * across * p.outputs * 32;
      }
    }
  }
}

/** The number of taps a, a + stride, … below `kernel`. */
// @ts-ignore: decorator
@inline
export function tapsOf(kernel: i32, a: i32, stride: i32): i32 {
  return kernel > a ? (kernel - a + stride - 1) / stride : 0;
}
