// ∂L/∂w of a 3 × 3 convolution at stride 1 in Winograd's domain: dw = Gᵀ[Σ over tiles (A g Aᵀ) ⊗ (Bᵀ x B)]G. Each
// thread sums over its tiles into memory of their own, and `combineWinograd` adds all up and transforms back. Of few
// tiles the sums would be most of the work: then each thread sums its filters, over all tiles.

import { madd, mapFirst, rowOf, share, turned, turnOf } from "./common";
import { Geometry } from "./convolve";
import { zero } from "./padding";
import { awaitChunks, claim, finish, offer, partOf } from "./sync";
import { fourth, put4, third, WIDE } from "./width";
import { lineOf, planeBytes, roundUp, transformStrip } from "./winograd";
import { tap0, tap1, tap2, transformGradient } from "./winograd-transform";

/** The arguments of `convolveWeightGrad`; `band` counts strips of tiles. */
@unmanaged
class WinogradWeightGrad extends Geometry {
  x: usize;
  xMap: usize;
  g: usize;
  gMap: usize;
  sums: usize; // [threads][parts], 36 planes [O rounded up to 4][C rounded up to 4], `planeBytes` apart
  sumsBytes: i32;
  parts: i32; // of each thread's share of the strips, see `partOf`
  tail: i32;
  filters: i32; // threads divide filters, of which each has a multiple of 4; then `sums` is one for all threads
}

export function convolveWinogradWeightGrad(args: usize, thread: i32, threads: i32): void {
  const c = changetype<WinogradWeightGrad>(args);
  const all = c.images * ((c.outHeight + 3) / 4);
  const outputs = roundUp(c.outputs, 4);
  if (c.filters) {
    sumStrips(c, thread, 0, all, share(outputs, thread, threads), share(outputs, thread + 1, threads), c.sums);
    return;
  }
  offer(thread);
  for (let k = 0; k < threads; k++) {
    const owner = (thread + k) % threads; // its own share first
    for (let part = claim(owner, c.parts); part >= 0; part = claim(owner, c.parts)) {
      const begin = partOf(all, owner, threads, part, c.parts, c.tail);
      const end = partOf(all, owner, threads, part + 1, c.parts, c.tail);
      sumStrips(c, thread, begin, end, 0, outputs, c.sums + (owner * c.parts + part) * c.sumsBytes);
      finish(owner);
    }
  }
  awaitChunks(thread, c.parts);
}

/** The sums over the strips begin … end, of the filters from … to; `thread` is the one whose scratch memory is used. */
function sumStrips(
  c: WinogradWeightGrad, thread: i32, begin: i32, end: i32, from: i32, to: i32, sums: usize,
): void {
  if (begin == end) {
    zero(sums, c.sumsBytes);
    return;
  }
  const down = (c.outHeight + 3) / 4;
  const across = (c.outWidth + 3) / 4;
  const xFirst = mapFirst(c.xMap);
  const gFirst = mapFirst(c.gMap);
  const turn = c.xMap ? turnOf(c.xMap, xFirst, c.images) : turnOf(c.gMap, gFirst, c.images);
  const xRow = c.width * c.channels * 4;
  const gRow = c.outWidth * c.outputs * 4;

  const inputs = roundUp(c.channels, 4);
  const outputs = roundUp(c.outputs, 4);
  const most = c.band * across;
  const xPlane = planeBytes(most, inputs);
  const gPlane = planeBytes(most, outputs);
  const xLine = roundUp((across * 4 + 2) * c.channels * 4 + 16, 16);
  const gLine = roundUp(across * 4 * c.outputs * 4 + 16, 16);
  const zeros = c.scratch + thread * c.scratchBytes;
  const zeroBytes = roundUp(max(xRow, gRow), 16);
  const xLines = zeros + zeroBytes;
  const gLines = xLines + 6 * xLine;
  const v = gLines + 6 * gLine;
  const w = v + 36 * xPlane;
  zero(zeros, zeroBytes + 6 * (xLine + gLine));

  for (let first = begin; first < end; first += c.band) {
    const strips = min(c.band, end - first);
    for (let s = 0; s < strips; s++) {
      const n = turned((first + s) / down, turn, c.images);
      const row = ((first + s) % down) * 4;
      const x = c.x + <usize>rowOf(c.xMap, xFirst, n) * (c.height * xRow);
      const g = c.g + <usize>rowOf(c.gMap, gFirst, n) * (c.outHeight * gRow);
      const tile = s * across;
      transformStrip(c, x, row - c.paddingY, across, zeros, xLines, xLine, v + tile * inputs * 4, inputs * 4, xPlane);
      gradientStrip(c, g, row, across, zeros, gLines, gLine, w + tile * outputs * 4, outputs * 4, gPlane, from, to);
    }
    for (let plane = 0; plane < 36; plane++) {
      accumulate(
        w + plane * gPlane, outputs * 4, v + plane * xPlane, inputs * 4, strips * across,
        sums + plane * planeBytes(outputs, inputs), from, to, first == begin,
      );
    }
  }
}

/** A g Aᵀ of a strip's tiles, as `transformStrip`, for the channels from … to. */
function gradientStrip(
  c: Geometry, g: usize, row: i32, across: i32, zeros: usize, lines: usize, lineBytes: i32,
  w: usize, tileBytes: i32, plane: i32, from: i32, to: i32,
): void {
  const pixel = c.outputs * 4;
  const bytes = c.outWidth * pixel;
  const p0 = g + row * bytes;
  const p1 = lineOf(g, row + 1, c.outHeight, bytes, zeros);
  const p2 = lineOf(g, row + 2, c.outHeight, bytes, zeros);
  const p3 = lineOf(g, row + 3, c.outHeight, bytes, zeros);
  const all = to - from >= c.outputs;
  // Pixels lie together, so that all of their channels are one run.
  const run = all ? bytes : (to - from) * 4;
  for (let start = from * 4; start < bytes; start += all ? bytes : pixel) {
    let i = start;
    if (WIDE) {
      for (; i <= start + run - 32; i += 32) {
        transformGradient(p0 + i, p1 + i, p2 + i, p3 + i, lines + i, lineBytes, true);
      }
    }
    for (; i <= start + run - 16; i += 16) {
      transformGradient(p0 + i, p1 + i, p2 + i, p3 + i, lines + i, lineBytes, false);
    }
  }
  if (bytes & 15) {
    const i = bytes - 16;
    transformGradient(p0 + i, p1 + i, p2 + i, p3 + i, lines + i, lineBytes, false);
  }
  for (let i = 0; i < 6; i++) {
    let tile = w;
    let line = lines;
    for (let t = 0; t < across; t++) {
      const l1 = line + pixel;
      const l2 = l1 + pixel;
      const l3 = l2 + pixel;
      let k = from * 4;
      if (WIDE) {
        for (; k <= min(to * 4, pixel) - 32; k += 32) {
          transformGradient(line + k, l1 + k, l2 + k, l3 + k, tile + k, plane, true);
        }
      }
      for (; k < min(to * 4, pixel); k += 16) {
        transformGradient(line + k, l1 + k, l2 + k, l3 + k, tile + k, plane, false);
      }
      line += pixel * 4;
      tile += tileBytes;
    }
    lines += lineBytes;
    w += plane * 6;
  }
}

/** sums[o][c] += Σ over tiles of g[tile][o]·x[tile][c], for o from … to and all c; `fresh` sums begin at 0. Rows in bytes. */
function accumulate(
  g: usize, gRow: i32, x: usize, xRow: i32, tiles: i32, sums: usize, from: i32, to: i32, fresh: bool,
): void {
  sums += from * xRow;
  for (let o = from * 4; o < to * 4; o += 16) {
    if (fresh) zero(sums, xRow * 4);
    let k = 0;
    if (WIDE) {
      for (; k <= xRow - 64; k += 64) accumulate4x8(g + o, gRow, x + k, xRow, tiles, sums + k, true);
    }
    for (; k <= xRow - 32; k += 32) accumulate4x8(g + o, gRow, x + k, xRow, tiles, sums + k, false);
    if (k < xRow) accumulate4x4(g + o, gRow, x + k, xRow, tiles, sums + k);
    sums += xRow * 4;
  }
}

/** Four filters by 8 channels or, `wide`, 16. */
// @ts-ignore: decorator
@inline
function accumulate4x8(g: usize, gRow: i32, x: usize, xRow: i32, tiles: i32, s0: usize, wide: bool): void {
  const s1 = s0 + xRow;
  const s2 = s1 + xRow;
  const s3 = s2 + xRow;
  let a00 = v128.load(s0);
  let a01 = v128.load(s0, 16);
  let a02 = third(s0, wide);
  let a03 = fourth(s0, wide);
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
  const end = x + tiles * xRow;
  do {
    const x0 = v128.load(x);
    const x1 = v128.load(x, 16);
    const x2 = third(x, wide);
    const x3 = fourth(x, wide);
    const g0 = v128.load32_splat(g);
    a00 = madd(g0, x0, a00);
    a01 = madd(g0, x1, a01);
    if (wide) a02 = madd(g0, x2, a02);
    if (wide) a03 = madd(g0, x3, a03);
    const g1 = v128.load32_splat(g, 4);
    a10 = madd(g1, x0, a10);
    a11 = madd(g1, x1, a11);
    if (wide) a12 = madd(g1, x2, a12);
    if (wide) a13 = madd(g1, x3, a13);
    const g2 = v128.load32_splat(g, 8);
    a20 = madd(g2, x0, a20);
    a21 = madd(g2, x1, a21);
    if (wide) a22 = madd(g2, x2, a22);
    if (wide) a23 = madd(g2, x3, a23);
    const g3 = v128.load32_splat(g, 12);
    a30 = madd(g3, x0, a30);
    a31 = madd(g3, x1, a31);
    if (wide) a32 = madd(g3, x2, a32);
    if (wide) a33 = madd(g3, x3, a33);
    g += gRow;
    x += xRow;
  } while (x != end);
  put4(s0, a00, a01, a02, a03, wide);
  put4(s1, a10, a11, a12, a13, wide);
  put4(s2, a20, a21, a22, a23, wide);
  put4(s3, a30, a31, a32, a33, wide);
}

// @ts-ignore: decorator
@inline
function accumulate4x4(g: usize, gRow: i32, x: usize, xRow: i32, tiles: i32, s0: usize): void {
  const s1 = s0 + xRow;
  const s2 = s1 + xRow;
  const s3 = s2 + xRow;
  let a0 = v128.load(s0);
  let a1 = v128.load(s1);
  let a2 = v128.load(s2);
  let a3 = v128.load(s3);
  const end = x + tiles * xRow;
  do {
    const x0 = v128.load(x);
    a0 = madd(v128.load32_splat(g), x0, a0);
    a1 = madd(v128.load32_splat(g, 4), x0, a1);
    a2 = madd(v128.load32_splat(g, 8), x0, a2);
    a3 = madd(v128.load32_splat(g, 12), x0, a3);
    g += gRow;
    x += xRow;
  } while (x != end);
  v128.store(s0, a0);
  v128.store(s1, a1);
  v128.store(s2, a2);
  v128.store(s3, a3);
}

/** out [O][3][3][C] = Gᵀ(Σ over parts of sums)G. Uses the first part as its scratch. */
@unmanaged
class CombineWinograd {
  sums: usize;
  sumsBytes: i32;
  parts: i32;
  outputs: i32;
  channels: i32;
  out: usize;
}

export function combineWinograd(args: usize, thread: i32, threads: i32): void {
  const a = changetype<CombineWinograd>(args);
  const row = roundUp(a.channels, 4) * 4;
  const plane = planeBytes(roundUp(a.outputs, 4), roundUp(a.channels, 4));
  const end = share(a.outputs, thread + 1, threads);
  for (let o = share(a.outputs, thread, threads); o < end; o++) {
    const out = a.out + o * 9 * a.channels * 4;
    for (let k = 0; k < a.channels; k += 4) {
      const sums = a.sums + o * row + k * 4;
      combineVector(sums, plane, a.sumsBytes, a.parts, out + k * 4, a.channels * 4, min(4, a.channels - k));
    }
  }
}

/** Four channels: down the columns into planes 0 … 17, then along the rows into `out`. */
function combineVector(sums: usize, plane: i32, part: i32, parts: i32, out: usize, tap: i32, channels: i32): void {
  for (let x = 0; x < 6; x++) {
    const p = sums + x * plane;
    const m0 = total(p, part, parts);
    const m1 = total(p + plane * 6, part, parts);
    const m2 = total(p + plane * 12, part, parts);
    const m3 = total(p + plane * 18, part, parts);
    const m4 = total(p + plane * 24, part, parts);
    const m5 = total(p + plane * 30, part, parts);
    const sumA = f32x4.add(m1, m2);
    const sumB = f32x4.add(m3, m4);
    v128.store(p, tap0(m0, sumA, sumB));
    v128.store(p + plane * 6, tap1(f32x4.sub(m1, m2), f32x4.sub(m3, m4)));
    v128.store(p + plane * 12, tap2(sumA, sumB, m5));
  }
  for (let y = 0; y < 3; y++) {
    const m1 = v128.load(sums + plane);
    const m2 = v128.load(sums + plane * 2);
    const m3 = v128.load(sums + plane * 3);
    const m4 = v128.load(sums + plane * 4);
    const sumA = f32x4.add(m1, m2);
    const sumB = f32x4.add(m3, m4);
    storeFirst(out, tap0(v128.load(sums), sumA, sumB), channels);
    storeFirst(out + tap, tap1(f32x4.sub(m1, m2), f32x4.sub(m3, m4)), channels);
    storeFirst(out + tap * 2, tap2(sumA, sumB, v128.load(sums + plane * 5)), channels);
    sums += plane * 6;
    out += tap * 3;
  }
}

function total(p: usize, part: i32, parts: i32): v128 {
  let sum = v128.load(p);
  for (let i = 1; i < parts; i++) {
    p += part;
    sum = f32x4.add(sum, v128.load(p));
  }
  return sum;
}

/** Stores the first n (four at most) lanes. */
// @ts-ignore: decorator
@inline
function storeFirst(to: usize, v: v128, n: i32): void {
  if (n == 4) {
    v128.store(to, v);
    return;
  }
  f32.store(to, f32x4.extract_lane(v, 0));
  if (n > 1) f32.store(to, f32x4.extract_lane(v, 1), 4);
  if (n > 2) f32.store(to, f32x4.extract_lane(v, 2), 8);
}
