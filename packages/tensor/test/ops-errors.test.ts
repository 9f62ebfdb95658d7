// What the primitives refuse, each with what is wrong.
import {
  add,
  addCrop,
  addRows,
  broadcast,
  conv2d,
  createBuilder,
  crop,
  joinRows,
  matmul,
  maxPool,
  moments,
  multiply,
  normalize,
  normalizeGradSums,
  type Primitive,
  pad,
  reluGrad,
  reshape,
  row,
  rows,
  slice,
  softmaxCrossEntropy,
  sqrt,
  sum,
  type Tensor,
} from "@fewnorm/tensor";
import test from "tape";

const b = createBuilder();
let made = 0;
const of = (...shape: number[]): Tensor => b.input(`float ${made++}`, shape);
const whole = (...shape: number[]): Tensor => b.input(`whole ${made++}`, shape, "int32");

const start = whole(2);
const range = { base: 0, modulo: 4, offset: 0, count: 3 };
const window = { index: 0, height: 2, width: 2, stride: [1, 1], offset: [0, 0] } as const;
const ring = (offset: number, count: number, modulo = 4, base = 0) => ({
  base,
  modulo,
  offset,
  count,
});
const geometry = { stride: [1, 1], padding: [0, 0], groups: 1 } as const;

/** Misuses of each primitive with what their errors must say. */
const errors: { readonly [P in Primitive]: readonly (readonly [() => unknown, RegExp])[] } = {
  input: [[() => b.input("bad", [0]), /^RangeError: input: shape \[0\]/]],
  state: [[() => b.state("bad", [0]), /^RangeError: state: shape \[0\]/]],
  constant: [[() => b.constant([1], [2]), /constant: 1 values do not fill shape \[2\]/]],
  add: [
    [() => add(of(2, 3), of(2)), /^RangeError: add: shapes \[2, 3\] and \[2\] do not broadcast/],
    [() => add(of(2), whole(2)), /^TypeError: add: operand 2 is int32; it must be float32/],
    [() => add(1, 2), /^TypeError: add: one operand must be a tensor/],
  ],
  subtract: [
    [() => b.append("subtract", [of(2)], {}), /^TypeError: subtract: operand 2 is missing/],
  ],
  multiply: [[() => multiply(of(2), of(3)), /multiply: shapes \[2\] and \[3\]/]],
  divide: [[() => b.append("divide", [whole(2), of(2)], {}), /divide: operand 1 is int32/]],
  sqrt: [[() => sqrt(whole(2)), /sqrt: operand 1 is int32/]],
  relu: [[() => b.append("relu", [], {}), /relu: operand 1 is missing/]],
  reluGrad: [[() => reluGrad(of(2), of(3)), /reluGrad: g is \[2\]; it must be \[3\]/]],
  reshape: [
    [
      () => reshape(of(2, 3), [5]),
      /reshape: \[2, 3\] and \[5\] have different numbers of elements/,
    ],
    [() => reshape(of(2), [-1, -2]), /reshape: shape \[-1, -2\]/],
  ],
  broadcast: [
    [() => broadcast(of(2), [3]), /broadcast: shapes \[2\] and \[3\] do not broadcast/],
    [() => broadcast(of(2, 3), [3]), /broadcast: the result is \[3\]; it must be \[2, 3\]/],
  ],
  sum: [
    [() => sum(of(2, 3), [2]), /sum: axes \[2\] are not all axes of \[2, 3\]/],
    [() => sum(of(2, 3), [-1]), /sum: axes \[-1\]/],
    [() => sum(of(2, 3), [1, 1]), /sum: axes \[1, 1\] occur twice/],
  ],
  slice: [
    [
      () => slice(of(5), { start: [3], shape: [3] }),
      /slice: \[3\] from \[3\] with stride \[1\] does not lie in \[5\]/,
    ],
    [() => slice(of(5), { start: [-1], shape: [3] }), /slice: .* does not lie/],
    [() => slice(of(5), { start: [0.5], shape: [2] }), /slice: .* from \[0.5\]/],
    [() => slice(of(5), { start: [0, 0], shape: [3, 1] }), /slice: .* does not lie/],
    [() => row(of(2, 3), 2), /slice: .* does not lie in \[2, 3\]/],
  ],
  pad: [
    [
      () => pad(of(3), { before: [2], shape: [4] }),
      /pad: \[3\] from \[2\] .* does not lie in \[4\]/,
    ],
  ],
  matmul: [
    [
      () => matmul(of(2, 3), of(2, 3)),
      /matmul: the inner sizes of \[2, 3\] and \[2, 3\] differ: 3 and 2/,
    ],
    [() => matmul(of(2), of(2, 3)), /matmul: \[2\] and \[2, 3\] must both have 2 axes/],
  ],
  conv2d: [
    [
      () => conv2d(of(2, 3, 8), of(4, 3, 3, 3)),
      /conv2d: the input is \[2, 3, 8\]; it must have 4 axes/,
    ],
    [
      () => conv2d(of(2, 3, 8, 8), of(4, 2, 3, 3)),
      /conv2d: 3 input channels and weight \[4, 2, 3, 3\] do not fit in 1 group/,
    ],
    [() => conv2d(of(2, 4, 8, 8), of(3, 2, 3, 3), { groups: 2 }), /O a multiple of groups/],
    [
      () => conv2d(of(1, 1, 2, 2), of(1, 1, 3, 3)),
      /a 3x3 kernel does not fit in a 2x2 map with padding \[0, 0\]; use/,
    ],
    [
      () => conv2d(of(1, 1, 2, 2), of(1, 1, 1, 1), { stride: 0 }),
      /stride \[0, 0\] and groups 1 must be whole/,
    ],
    [
      () => conv2d(of(1, 1, 2, 2), of(1, 1, 1, 1), { padding: -1 }),
      /padding \[-1, -1\] must be whole/,
    ],
    [
      () => conv2d(of(1, 1, 2, 2), of(3, 1, 1, 1), { bias: of(2) }),
      /the bias is \[2\]; it must be \[3\]/,
    ],
    [
      () => conv2d(of(1, 1, 2, 2), of(3, 1, 1, 1), { residual: of(3) }),
      /the residual is \[3\]; it must be \[1, 3, 2, 2\]/,
    ],
  ],
  conv2dInputGrad: [
    [
      () =>
        b.append("conv2dInputGrad", [of(1, 3, 9, 9), of(3, 2, 3, 3)], {
          ...geometry,
          shape: [1, 2, 9, 9],
        }),
      /conv2dInputGrad: g is \[1, 3, 9, 9\]; it must be \[1, 3, 7, 7\]/,
    ],
  ],
  conv2dWeightGrad: [
    [
      () =>
        b.append("conv2dWeightGrad", [of(1, 2, 9, 9), of(1, 3, 9, 9)], {
          ...geometry,
          shape: [3, 2, 3, 3],
        }),
      /conv2dWeightGrad: g is \[1, 3, 9, 9\]; it must be \[1, 3, 7, 7\]/,
    ],
  ],
  moments: [
    [
      () => moments(of(2, 3, 4)),
      /moments: shape \[2, 3, 4\] is neither \[N, C\] nor \[N, C, H, W\]/,
    ],
  ],
  normalize: [
    [() => normalize(of(2, 3), of(2), of(3), of(3)), /normalize: mean is \[2\]; it must be \[3\]/],
    [
      () => normalize(of(2, 3), of(3), of(3, 1), of(3)),
      /normalize: scale is \[3, 1\]; it must be \[3\]/,
    ],
    [
      () => normalize(of(2, 3), of(3), of(3), of(3), { residual: of(3) }),
      /normalize: the residual is \[3\]; it must be \[2, 3\]/,
    ],
  ],
  normalizeGradSums: [
    [
      () => normalizeGradSums(of(2, 3), of(3, 3), of(3)),
      /normalizeGradSums: g is \[2, 3\]; it must be \[3, 3\]/,
    ],
  ],
  normalizeInputGrad: [
    [
      () => b.append("normalizeInputGrad", [of(2, 3), of(2, 3), of(3), of(3), of(2), of(3)], {}),
      /normalizeInputGrad: operand 5 is \[2\]; it must be \[3\]/,
    ],
  ],
  rows: [
    [() => rows(of(3, 2), start, { range }), /rows: the range .* does not lie in 3 rows/],
    [
      () => rows(of(4), start, { range: ring(0, 5) }),
      /rows: the range .*; it needs 1 <= count <= modulo/,
    ],
    [() => rows(of(4), start, { range: ring(-1, 2) }), /rows: the range/],
    [
      () => rows(of(4), start, { range: ring(0, 2, 4, 1) }),
      /rows: the range .* does not lie in 4 rows/,
    ],
    [
      () => rows(of(4), b.constant(0, [1], "int32"), { range: ring(0, 4, 4, 1) }),
      /rows: the range .* does not lie in 4 rows/,
    ],
    [
      () => rows(of(4), of(1), { range }),
      /rows: the start must be an int32 vector, not float32 \[1\]/,
    ],
    [
      () => rows(of(4), whole(1, 1), { range }),
      /rows: the start must be an int32 vector, not int32 \[1, 1\]/,
    ],
    [
      () => rows(of(4), start, { range, index: 2 }),
      /rows: index 2 lies outside the start vector \[2\]/,
    ],
  ],
  joinRows: [
    [() => joinRows([]), /joinRows: there are no parts; give at least one/],
    [
      () => joinRows([{ part: of(2, 3), start, range: ring(0, 2) }]),
      /joinRows: the ranges .* do not cover every row exactly once/,
    ],
    [
      () =>
        joinRows([
          { part: of(2, 3), start, range: ring(0, 2) },
          { part: of(2, 3), start, range: ring(1, 2) },
        ]),
      /joinRows: the ranges .* do not cover/,
    ],
    [
      () =>
        joinRows([
          { part: of(2, 3), start, range: ring(0, 2) },
          { part: of(2, 3), start, range: ring(2, 2), index: 1 },
        ]),
      /joinRows: the ranges .* do not cover/,
    ],
    [
      () =>
        joinRows([
          { part: of(2, 3), start, range: ring(0, 2) },
          { part: of(2, 3), start: whole(2), range: ring(2, 2) },
        ]),
      /joinRows: the ranges .* do not cover/,
    ],
    [
      () =>
        joinRows([
          { part: of(2, 3), start, range: ring(0, 2) },
          { part: of(2, 4), start, range: ring(2, 2) },
        ]),
      /joinRows: part 2 is \[2, 4\]; it must be \[2, 3\]/,
    ],
  ],
  addRows: [
    [
      () => addRows(of(4, 2), of(2, 2), start, { range }),
      /addRows: the part is \[2, 2\]; it must be \[3, 2\]/,
    ],
  ],
  crop: [
    [() => crop(of(4, 4), start, window), /crop: the input is \[4, 4\]; it must have 4 axes/],
    [
      () => crop(of(1, 1, 4, 4), start, { ...window, index: 1 }),
      /crop: index 1 lies outside the start vector \[2\]/,
    ],
    [() => crop(of(1, 1, 4, 4), start, { ...window, height: 0 }), /crop: shape \[1, 1, 0, 2\]/],
    [
      () => crop(of(1, 1, 4, 4), start, { ...window, stride: [0, 1] }),
      /crop: stride \[0, 1\] must be whole numbers >= 1/,
    ],
    [
      () => crop(of(1, 1, 4, 4), start, { ...window, stride: [1, 1.5] }),
      /crop: stride \[1, 1.5\] must be whole numbers >= 1/,
    ],
    [
      () => crop(of(1, 1, 4, 4), start, { ...window, offset: [0.5, 0] }),
      /crop: offset \[0.5, 0\] must be whole numbers/,
    ],
  ],
  addCrop: [
    [
      () => addCrop(of(1, 1, 4, 4), of(1, 1, 3, 2), start, window),
      /addCrop: the part is \[1, 1, 3, 2\]; it must be \[1, 1, 2, 2\]/,
    ],
    [
      () => addCrop(of(1, 1, 4, 4), of(1, 1, 2, 2), start, { ...window, stride: [-1, 1] }),
      /addCrop: stride \[-1, 1\] must be whole numbers >= 1/,
    ],
    [
      () => addCrop(of(1, 1, 4, 4), of(1, 1, 2, 2), start, { ...window, offset: [0, Number.NaN] }),
      /addCrop: offset \[0, NaN\] must be whole numbers/,
    ],
  ],
  softmaxCrossEntropy: [
    [
      () => softmaxCrossEntropy(of(5), whole(5)),
      /softmaxCrossEntropy: the logits are \[5\]; they must be \[N, K\]/,
    ],
    [
      () => softmaxCrossEntropy(of(5, 2), of(5)),
      /^TypeError: softmaxCrossEntropy: the labels must be int32/,
    ],
    [
      () => softmaxCrossEntropy(of(5, 2), whole(4)),
      /the shape of the labels is \[4\]; it must be \[5\]/,
    ],
  ],
  maxPool: [
    [() => maxPool(of(4, 4), { kernel: 2 }), /maxPool: the input is \[4, 4\]; it must have 4 axes/],
    [
      () => maxPool(of(1, 1, 4, 4), { kernel: 0 }),
      /maxPool: kernel \[0, 0\] and stride \[0, 0\] must be whole numbers >= 1/,
    ],
    [
      () => maxPool(of(1, 1, 4, 4), { kernel: [3, 2], padding: [1, 2] }),
      /maxPool: padding \[1, 2\] must be .* smaller than the kernel \[3, 2\]/,
    ],
    [
      () => maxPool(of(1, 1, 4, 2), { kernel: 3 }),
      /maxPool: a 3x3 window does not fit in a 4x2 map with padding \[0, 0\]; use a smaller window/,
    ],
  ],
  maxPoolGrad: [
    [
      () =>
        b.append("maxPoolGrad", [of(1, 1, 4, 4), of(1, 1, 4, 4)], {
          kernel: [2, 2],
          stride: [2, 2],
          padding: [0, 0],
        }),
      /maxPoolGrad: g is \[1, 1, 4, 4\]; it must be \[1, 1, 2, 2\]/,
    ],
  ],
  softmaxCrossEntropyGrad: [
    [
      () => b.append("softmaxCrossEntropyGrad", [of(5, 2), whole(5), of(4)], {}),
      /softmaxCrossEntropyGrad: g is \[4\]; it must be \[5\]/,
    ],
  ],
};

for (const [op, misuses] of Object.entries(errors)) {
  test(`errors of ${op}`, (t) => {
    for (const [misuse, words] of misuses) t.throws(misuse, words);
    t.end();
  });
}
