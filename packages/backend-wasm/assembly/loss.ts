// Softmax cross-entropy and its gradient, row by row; exponentials in double precision.

import { mapFirst, rowOf, share } from "./common";

// @ts-ignore: decorator
@external("env", "exp")
declare function exp(x: f64): f64;
// @ts-ignore: decorator
@external("env", "log")
declare function log(x: f64): f64;

@unmanaged
class CrossEntropy {
  logits: usize;
  logitsMap: usize;
  labels: usize;
  labelsMap: usize;
  g: usize; // [N], for the gradient
  gMap: usize;
  out: usize;
  outMap: usize;
  rows: i32;
  classes: i32;
}

function largest(x: usize, n: i32): f64 {
  let top = f32.load(x);
  for (let k = 1; k < n; k++) {
    const v = f32.load(x + k * 4);
    if (v > top) top = v;
  }
  return <f64>top;
}

function sumOfExponentials(x: usize, n: i32, top: f64): f64 {
  let sum: f64 = 0;
  for (let k = 0; k < n; k++) sum += exp(<f64>f32.load(x + k * 4) - top);
  return sum;
}

/** out[i] = log Σ exp(logits − top) + top − logits[label]. */
export function crossEntropy(args: usize, thread: i32, threads: i32): void {
  const c = changetype<CrossEntropy>(args);
  const xFirst = mapFirst(c.logitsMap);
  const labelFirst = mapFirst(c.labelsMap);
  const outFirst = mapFirst(c.outMap);
  const end = share(c.rows, thread + 1, threads);
  for (let i = share(c.rows, thread, threads); i < end; i++) {
    const x = c.logits + rowOf(c.logitsMap, xFirst, i) * c.classes * 4;
    const label = load<i32>(c.labels + rowOf(c.labelsMap, labelFirst, i) * 4);
    const top = largest(x, c.classes);
    // A label out of range reads nothing and gives NaN, which stops training.
    const own: f64 = <u32>label < <u32>c.classes ? <f64>f32.load(x + label * 4) : NaN;
    const loss = log(sumOfExponentials(x, c.classes, top)) + top - own;
    f32.store(c.out + rowOf(c.outMap, outFirst, i) * 4, <f32>loss);
  }
}

/** out[i][k] = g[i]·(softmax(logits[i])[k] − [k = label]). */
export function crossEntropyGrad(args: usize, thread: i32, threads: i32): void {
  const c = changetype<CrossEntropy>(args);
  const xFirst = mapFirst(c.logitsMap);
  const labelFirst = mapFirst(c.labelsMap);
  const gFirst = mapFirst(c.gMap);
  const outFirst = mapFirst(c.outMap);
  const end = share(c.rows, thread + 1, threads);
  for (let i = share(c.rows, thread, threads); i < end; i++) {
    const x = c.logits + rowOf(c.logitsMap, xFirst, i) * c.classes * 4;
    const label = load<i32>(c.labels + rowOf(c.labelsMap, labelFirst, i) * 4);
    const g = <f64>f32.load(c.g + rowOf(c.gMap, gFirst, i) * 4);
    const out = c.out + rowOf(c.outMap, outFirst, i) * c.classes * 4;
    const top = largest(x, c.classes);
    const sum = sumOfExponentials(x, c.classes, top);
    for (let k = 0; k < c.classes; k++) {
      const p = exp(<f64>f32.load(x + k * 4) - top) / sum;
      f32.store(out + k * 4, <f32>(g * (k == label ? p - 1 : p)));
    }
  }
}
