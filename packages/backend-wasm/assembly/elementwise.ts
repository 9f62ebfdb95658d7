// Element-wise operations over strided operands; copies, broadcasts, slices and padding are copies of this kind.

import { mapFirst, relu4, rowOf, share, shareOf, turned, turnOf } from "./common";
import {
  EW_ADD, EW_ADD_PRODUCT, EW_COPY, EW_DIVIDE, EW_DIVISOR, EW_MULTIPLY, EW_RELU, EW_RELU_GRAD, EW_SQRT, EW_SUBTRACT,
  EW_SUBTRACT_PRODUCT, SHARED, SINGLE,
} from "../src/opcodes";
import { copy, zero } from "./padding";

/**
 * out[i] = a[i] ∘ b[i], or a[i] ∘ b[i]·c[i], over `rank` axes, the first divided between threads. After the fields:
 * the sizes of the axes, then the strides of out, a, b and c, all in floats. Strides of 0 broadcast. With maps the
 * first axis is rows; around what is written of them, padded rows are 0.
 */
@unmanaged
class Elementwise {
  kind: i32;
  division: i32;
  rank: i32;
  out: usize;
  outMap: usize;
  a: usize;
  aMap: usize;
  b: usize;
  bMap: usize;
  c: usize;
  cMap: usize;
  rowBytes: i32; // of a padded row; 0 for none
  before: i32; // of these before `out`
}

export function elementwise(args: usize, thread: i32, threads: i32): void {
  const e = changetype<Elementwise>(args);
  if (e.division == SINGLE && thread > 0) return;
  if (e.division != SHARED) {
    thread = 0;
    threads = 1;
  }
  const rank = e.rank;
  const sizes = args + offsetof<Elementwise>();
  const so = sizes + rank * 4;
  const sa = so + rank * 4;
  const sb = sa + rank * 4;
  const sc = sb + rank * 4;
  const n = load<i32>(sizes);
  if (rank == 1) {
    const begin = shareOf(n, 4, thread, threads);
    const end = shareOf(n, 4, thread + 1, threads);
    line(
      e.kind, e.out + begin * load<i32>(so) * 4, e.a + begin * load<i32>(sa) * 4, e.b + begin * load<i32>(sb) * 4,
      e.c + begin * load<i32>(sc) * 4, end - begin, load<i32>(so), load<i32>(sa), load<i32>(sb), load<i32>(sc),
    );
    return;
  }
  const outFirst = mapFirst(e.outMap);
  const aFirst = mapFirst(e.aMap);
  const bFirst = mapFirst(e.bMap);
  const cFirst = mapFirst(e.cMap);
  const end = share(n, thread + 1, threads);
  const turn = e.aMap ? turnOf(e.aMap, aFirst, n) : turnOf(e.outMap, outFirst, n);
  for (let k = share(n, thread, threads); k < end; k++) {
    const i = turned(k, turn, n);
    const out = e.out + <usize>rowOf(e.outMap, outFirst, i) * load<i32>(so) * 4;
    zero(out - e.before, e.rowBytes);
    nest(
      e.kind,
      out,
      e.a + <usize>rowOf(e.aMap, aFirst, i) * load<i32>(sa) * 4,
      e.b + <usize>rowOf(e.bMap, bFirst, i) * load<i32>(sb) * 4,
      e.c + <usize>rowOf(e.cMap, cFirst, i) * load<i32>(sc) * 4,
      rank - 1, sizes + 4, so + 4, sa + 4, sb + 4, sc + 4,
    );
  }
}

/** What stands for smaller numbers where they divide: 2⁻⁶⁴, whose products and quotients stay in range. */
const LEAST: f32 = 5.421010862427522e-20;

/** Up to so many planes, as of an image fed, are turned into pixels plane by plane. */
const MOST_PLANES = 16;

function nest(
  kind: i32, out: usize, a: usize, b: usize, c: usize, rank: i32, sizes: usize, so: usize, sa: usize, sb: usize, sc: usize,
): void {
  const n = load<i32>(sizes);
  const o = load<i32>(so);
  const p = load<i32>(sa);
  const q = load<i32>(sb);
  const r = load<i32>(sc);
  if (rank == 1) {
    line(kind, out, a, b, c, n, o, p, q, r);
    return;
  }
  if (rank == 2 && kind == EW_COPY) {
    const length = load<i32>(sizes, 4); // of a pixel, mostly
    const outNext = load<i32>(so, 4);
    const aNext = load<i32>(sa, 4);
    if (outNext == 1 && aNext == 1) {
      for (let i = 0; i < n; i++) copy(out + i * o * 4, a + i * p * 4, length * 4);
      return;
    }
    if (p == 1 && length <= MOST_PLANES) {
      for (let i = 0; i < length; i++) line(kind, out + i * outNext * 4, a + i * aNext * 4, b, c, n, o, 1, 0, 0);
      return;
    }
  }
  for (let i = 0; i < n; i++) {
    nest(kind, out, a, b, c, rank - 1, sizes + 4, so + 4, sa + 4, sb + 4, sc + 4);
    out += o * 4;
    a += p * 4;
    b += q * 4;
    c += r * 4;
  }
}

function line(
  kind: i32, out: usize, a: usize, b: usize, c: usize, n: i32, so: i32, sa: i32, sb: i32, sc: i32,
): void {
  switch (kind) {
    case EW_COPY: lineOf(EW_COPY, out, a, b, c, n, so, sa, sb, sc); break;
    case EW_ADD: lineOf(EW_ADD, out, a, b, c, n, so, sa, sb, sc); break;
    case EW_SUBTRACT: lineOf(EW_SUBTRACT, out, a, b, c, n, so, sa, sb, sc); break;
    case EW_MULTIPLY: lineOf(EW_MULTIPLY, out, a, b, c, n, so, sa, sb, sc); break;
    case EW_DIVIDE: lineOf(EW_DIVIDE, out, a, b, c, n, so, sa, sb, sc); break;
    case EW_SQRT: lineOf(EW_SQRT, out, a, b, c, n, so, sa, sb, sc); break;
    case EW_RELU: lineOf(EW_RELU, out, a, b, c, n, so, sa, sb, sc); break;
    case EW_RELU_GRAD: lineOf(EW_RELU_GRAD, out, a, b, c, n, so, sa, sb, sc); break;
    case EW_DIVISOR: lineOf(EW_DIVISOR, out, a, b, c, n, so, sa, sb, sc); break;
    case EW_ADD_PRODUCT: lineOf(EW_ADD_PRODUCT, out, a, b, c, n, so, sa, sb, sc); break;
    case EW_SUBTRACT_PRODUCT: lineOf(EW_SUBTRACT_PRODUCT, out, a, b, c, n, so, sa, sb, sc); break;
  }
}

// @ts-ignore: decorator
@inline
function lineOf(
  kind: i32, out: usize, a: usize, b: usize, c: usize, n: i32, so: i32, sa: i32, sb: i32, sc: i32,
): void {
  const product = kind == EW_ADD_PRODUCT || kind == EW_SUBTRACT_PRODUCT;
  let i = 0;
  if (so == 1 && <u32>sa <= 1 && <u32>sb <= 1 && <u32>sc <= 1) {
    const a0 = v128.load32_splat(a);
    const b0 = v128.load32_splat(b);
    const c0 = product ? v128.load32_splat(c) : b0;
    const aStep = sa * 16;
    const bStep = sb * 16;
    const cStep = sc * 16;
    for (; i <= n - 4; i += 4) {
      const x = sa ? v128.load(a) : a0;
      let y = sb ? v128.load(b) : b0;
      if (product) {
        y = f32x4.mul(y, sc ? v128.load(c) : c0);
        c += cStep;
      }
      v128.store(out, vector(kind, x, y));
      out += 16;
      a += aStep;
      b += bStep;
    }
  }
  for (; i < n; i++) {
    let y = f32.load(b);
    if (product) {
      y *= f32.load(c);
      c += sc * 4;
    }
    f32.store(out, scalar(kind, f32.load(a), y));
    out += so * 4;
    a += sa * 4;
    b += sb * 4;
  }
}

// @ts-ignore: decorator
@inline
function vector(kind: i32, x: v128, y: v128): v128 {
  if (kind == EW_ADD || kind == EW_ADD_PRODUCT) return f32x4.add(x, y);
  if (kind == EW_SUBTRACT || kind == EW_SUBTRACT_PRODUCT) return f32x4.sub(x, y);
  if (kind == EW_MULTIPLY) return f32x4.mul(x, y);
  if (kind == EW_DIVIDE) return f32x4.div(x, y);
  if (kind == EW_SQRT) return f32x4.sqrt(x);
  if (kind == EW_RELU) return relu4(x);
  if (kind == EW_RELU_GRAD) return v128.and(x, f32x4.gt(y, f32x4.splat(0)));
  if (kind == EW_DIVISOR) {
    const least = f32x4.splat(LEAST);
    return v128.bitselect(least, x, f32x4.lt(f32x4.abs(x), least));
  }
  return x;
}

// @ts-ignore: decorator
@inline
function scalar(kind: i32, x: f32, y: f32): f32 {
  if (kind == EW_ADD || kind == EW_ADD_PRODUCT) return x + y;
  if (kind == EW_SUBTRACT || kind == EW_SUBTRACT_PRODUCT) return x - y;
  if (kind == EW_MULTIPLY) return x * y;
  if (kind == EW_DIVIDE) return x / y;
  if (kind == EW_SQRT) return sqrt<f32>(x);
  if (kind == EW_RELU) return x < 0 ? 0 : x;
  if (kind == EW_RELU_GRAD) return y > 0 ? x : 0;
  if (kind == EW_DIVISOR) return abs<f32>(x) < LEAST ? LEAST : x;
  return x;
}

/** out[0 … n − 1] = the int32 `value` (bits of a float), divided between threads by `rows`. */
@unmanaged
class Fill {
  division: i32;
  out: usize;
  rows: i32;
  length: i32; // of a row
  value: i32;
}

export function fill(args: usize, thread: i32, threads: i32): void {
  const f = changetype<Fill>(args);
  if (f.division != SHARED) {
    thread = 0;
    threads = 1;
  }
  const end = f.out + <usize>share(f.rows, thread + 1, threads) * f.length * 4;
  const value = i32x4.splat(f.value);
  let to = f.out + <usize>share(f.rows, thread, threads) * f.length * 4;
  for (; to + 16 <= end; to += 16) v128.store(to, value);
  for (; to < end; to += 4) store<i32>(to, f.value);
}
