// Sums over axes.

import { EACH, SHARED } from "../src/opcodes";
import { lanes, mapFirst, rowOf, share, shareOf, turned, turnOf } from "./common";
import { zero } from "./padding";

// @ts-ignore: decorator
@inline
function sumOf(a: v128, b: v128, c: v128, d: v128): v128 {
  return f32x4.add(f32x4.add(a, b), f32x4.add(c, d));
}

/** to[c] += Σ of `pixels` rows of x[c], c < channels. */
export function addPixels(x: usize, pixels: i32, channels: i32, to: usize): void {
  const next = channels * 4;
  let c = 0;
  for (; c <= channels - 16; c += 16) {
    let a = f32x4.splat(0);
    let b = a;
    let d = a;
    let e = a;
    let p = x + c * 4;
    let i = 0;
    // Four pixels at a time: sums of sums wait for each other less often.
    for (; i <= pixels - 4; i += 4) {
      const q = p + next;
      const r = q + next;
      const s = r + next;
      a = f32x4.add(a, sumOf(v128.load(p), v128.load(q), v128.load(r), v128.load(s)));
      b = f32x4.add(b, sumOf(v128.load(p, 16), v128.load(q, 16), v128.load(r, 16), v128.load(s, 16)));
      d = f32x4.add(d, sumOf(v128.load(p, 32), v128.load(q, 32), v128.load(r, 32), v128.load(s, 32)));
      e = f32x4.add(e, sumOf(v128.load(p, 48), v128.load(q, 48), v128.load(r, 48), v128.load(s, 48)));
      p = s + next;
    }
    for (; i < pixels; i++) {
      a = f32x4.add(a, v128.load(p));
      b = f32x4.add(b, v128.load(p, 16));
      d = f32x4.add(d, v128.load(p, 32));
      e = f32x4.add(e, v128.load(p, 48));
      p += next;
    }
    const at = to + c * 4;
    v128.store(at, f32x4.add(v128.load(at), a));
    v128.store(at, f32x4.add(v128.load(at, 16), b), 16);
    v128.store(at, f32x4.add(v128.load(at, 32), d), 32);
    v128.store(at, f32x4.add(v128.load(at, 48), e), 48);
  }
  for (; c <= channels - 4; c += 4) {
    let a = f32x4.splat(0);
    let p = x + c * 4;
    for (let i = 0; i < pixels; i++) {
      a = f32x4.add(a, v128.load(p));
      p += next;
    }
    v128.store(to + c * 4, f32x4.add(v128.load(to + c * 4), a));
  }
  for (; c < channels; c++) {
    let a: f32 = 0;
    let p = x + c * 4;
    for (let i = 0; i < pixels; i++) {
      a += f32.load(p);
      p += next;
    }
    f32.store(to + c * 4, f32.load(to + c * 4) + a);
  }
}

/** The sum of n floats: partial sums of 256, added in double precision. */
function sumLine(x: usize, n: i32): f64 {
  let total: f64 = 0;
  let i = 0;
  while (i <= n - 4) {
    const end = min(n - 3, i + 256);
    let a = f32x4.splat(0);
    for (; i < end; i += 4) {
      a = f32x4.add(a, v128.load(x));
      x += 16;
    }
    total += <f64>lanes(a);
  }
  for (; i < n; i++) {
    total += <f64>f32.load(x);
    x += 4;
  }
  return total;
}

/**
 * A sum over some of `rank` axes. After the fields: sizes, strides of x, strides of the result (0 where summed).
 * As OP_SUM_ROWS the first axis is kept and divided between threads; as OP_SUM_PARTIAL it is summed, each thread
 * sums its share into its own `length` floats of `out`, and a `combine` follows, unless each thread sums all.
 */
@unmanaged
class Sum {
  division: i32;
  rank: i32;
  x: usize;
  xMap: usize;
  turnMap: usize; // the order in which OP_SUM_PARTIAL takes the rows
  out: usize;
  length: i32; // floats of the result, of one row for OP_SUM_ROWS
  scratch: usize; // the same for each thread, with EACH
  scratchBytes: i32; // of one thread
}

export function sumRows(args: usize, thread: i32, threads: i32): void {
  const s = changetype<Sum>(args);
  // What other threads may read is written once, when it is complete.
  const sums = s.division == EACH ? s.scratch + thread * s.scratchBytes : 0;
  if (s.division != SHARED) {
    thread = 0;
    threads = 1;
  }
  const sizes = args + offsetof<Sum>();
  const sx = sizes + s.rank * 4;
  const so = sx + s.rank * 4;
  const first = mapFirst(s.xMap);
  const end = share(load<i32>(sizes), thread + 1, threads);
  for (let i = share(load<i32>(sizes), thread, threads); i < end; i++) {
    const out = s.out + <usize>i * load<i32>(so) * 4;
    const to = sums ? sums : out;
    zero(to, s.length * 4);
    nest(s.x + <usize>rowOf(s.xMap, first, i) * load<i32>(sx) * 4, to, s.rank - 1, sizes + 4, sx + 4, so + 4);
    if (sums) memory.copy(out, sums, s.length * 4);
  }
}

export function sumPartial(args: usize, thread: i32, threads: i32): void {
  const s = changetype<Sum>(args);
  if (s.division == EACH) {
    const sums = s.scratch + thread * s.scratchBytes;
    sumShare(s, args, 0, 1, sums);
    memory.copy(s.out, sums, s.length * 4);
  } else {
    sumShare(s, args, thread, threads, s.out + thread * s.length * 4);
  }
}

/** Sums a thread's share into `out`. */
function sumShare(s: Sum, args: usize, thread: i32, threads: i32, out: usize): void {
  zero(out, s.length * 4);
  const sizes = args + offsetof<Sum>();
  const sx = sizes + s.rank * 4;
  const so = sx + s.rank * 4;
  const n = load<i32>(sizes);
  if (s.rank == 1) {
    const begin = shareOf(n, 4, thread, threads);
    const end = shareOf(n, 4, thread + 1, threads);
    nestLine(s.x + begin * load<i32>(sx) * 4, out, end - begin, load<i32>(sx), 0);
    return;
  }
  const end = share(n, thread + 1, threads);
  const channels = load<i32>(sizes, 4);
  const rows = s.rank == 2 && !s.xMap && !s.turnMap && load<i32>(so, 4) == 1 && load<i32>(sx, 4) == 1;
  if (rows && load<i32>(sx) == channels) {
    // Blocks keep rounding small: each is summed by itself first.
    for (let i = share(n, thread, threads); i < end; i += 256) {
      addPixels(s.x + <usize>i * channels * 4, min(256, end - i), channels, out);
    }
    return;
  }
  const first = mapFirst(s.xMap);
  const turn = turnOf(s.turnMap, mapFirst(s.turnMap), n);
  for (let k = share(n, thread, threads); k < end; k++) {
    const i = turned(k, turn, n);
    nest(s.x + <usize>rowOf(s.xMap, first, i) * load<i32>(sx) * 4, out, s.rank - 1, sizes + 4, sx + 4, so + 4);
  }
}

function nest(x: usize, out: usize, rank: i32, sizes: usize, sx: usize, so: usize): void {
  const n = load<i32>(sizes);
  const p = load<i32>(sx);
  const o = load<i32>(so);
  if (rank == 0) {
    f32.store(out, f32.load(out) + f32.load(x));
    return;
  }
  if (rank == 1) {
    nestLine(x, out, n, p, o);
    return;
  }
  if (rank == 2 && o == 0 && load<i32>(sx, 4) == 1 && load<i32>(so, 4) == 1 && p == load<i32>(sizes, 4)) {
    addPixels(x, n, load<i32>(sizes, 4), out);
    return;
  }
  for (let i = 0; i < n; i++) {
    nest(x, out, rank - 1, sizes + 4, sx + 4, so + 4);
    x += p * 4;
    out += o * 4;
  }
}

function nestLine(x: usize, out: usize, n: i32, sx: i32, so: i32): void {
  if (so == 0 && sx == 1) {
    f32.store(out, <f32>(<f64>f32.load(out) + sumLine(x, n)));
    return;
  }
  let i = 0;
  if (so == 1 && sx == 1) {
    for (; i <= n - 4; i += 4) {
      v128.store(out, f32x4.add(v128.load(out), v128.load(x)));
      out += 16;
      x += 16;
    }
  }
  for (; i < n; i++) {
    f32.store(out, f32.load(out) + f32.load(x));
    out += so * 4;
    x += sx * 4;
  }
}

/** out[r][l][i] = Σ over threads of partial[thread][(r·lines + l)·rowFloats + i], i < length. */
@unmanaged
class Combine {
  division: i32;
  partial: usize;
  partialBytes: i32; // of one thread
  parts: i32;
  out: usize;
  rows: i32;
  lines: i32; // of a row
  length: i32; // of a line
  rowFloats: i32;
}

export function combine(args: usize, thread: i32, threads: i32): void {
  const c = changetype<Combine>(args);
  if (c.division != SHARED) {
    thread = 0;
    threads = 1;
  }
  const end = share(c.rows, thread + 1, threads) * c.lines;
  for (let l = share(c.rows, thread, threads) * c.lines; l < end; l++) {
    let from = c.partial + l * c.rowFloats * 4;
    let to = c.out + l * c.length * 4;
    let i = 0;
    for (; i <= c.length - 4; i += 4) {
      let p = from;
      let a = v128.load(p);
      for (let t = 1; t < c.parts; t++) {
        p += c.partialBytes;
        a = f32x4.add(a, v128.load(p));
      }
      v128.store(to, a);
      from += 16;
      to += 16;
    }
    for (; i < c.length; i++) {
      let p = from;
      let a = f32.load(p);
      for (let t = 1; t < c.parts; t++) {
        p += c.partialBytes;
        a += f32.load(p);
      }
      f32.store(to, a);
      from += 4;
      to += 4;
    }
  }
}
