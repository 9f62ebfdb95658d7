// The primitives as functions: options, and shapes of the results.
import {
  add,
  addCrop,
  addRows,
  conv2d,
  convolvedShape,
  createBuilder,
  crop,
  grad,
  matmul,
  maxPool,
  mean,
  moments,
  multiply,
  row,
  rows,
  scaleChannels,
  softmaxCrossEntropy,
  sum,
  sumChannels,
  type Tensor,
} from "@fewnorm/tensor";
import test from "tape";

const b = createBuilder();
let made = 0;
const of = (...shape: number[]): Tensor => b.input(`float ${made++}`, shape);
const whole = (...shape: number[]): Tensor => b.input(`whole ${made++}`, shape, "int32");

test("options that there are not are refused", (t) => {
  const wrong = (options: unknown) => options as never;
  const [x, w] = [of(1, 3, 8, 8), of(2, 3, 3, 3)];
  t.throws(() => conv2d(x, w, wrong({ pad: 1 })), /conv2d: there is no option "pad"; .*padding/);
  t.throws(() => conv2d(x, w, wrong({ padding: "same" })), {
    name: "TypeError",
    message: 'conv2d: padding is "same"; give a number, or an array of two, down and across',
  });
  t.throws(() => maxPool(x, wrong({ kernel: "2" })), /^TypeError: maxPool: kernel is "2"; give/);
  t.throws(
    () => grad(mean(x), x as never),
    /^TypeError: grad: wrt is another object; give an array/,
  );
  t.throws(() => maxPool(x, wrong(2)), /maxPool: the options are 2; .*kernel, stride, padding/);
  t.throws(() => grad(mean(x), [x], wrong({ recomput: 1 })), /grad: there is no option "recomput"/);
  t.end();
});

test("shapes of results", (t) => {
  const start = whole(2);
  const range = { base: 1, modulo: 4, offset: 0, count: 3 };
  const window = { index: 0, height: 2, width: 5, stride: [1, 1], offset: [0, 0] } as const;
  const shapes: readonly (readonly [string, Tensor, readonly number[]])[] = [
    ["add", add(of(3, 1, 1), of(2, 3, 4, 4)), [2, 3, 4, 4]],
    ["number and tensor", multiply(2, of(3)), [3]],
    ["sum", sum(of(2, 3, 4), [2, 0]), [3]],
    ["sum of everything", sum(of(2, 3)), []],
    ["mean", mean(of(2, 3, 4, 4), [2, 3]), [2, 3]],
    ["channel sums", sumChannels(of(2, 3, 4, 4)), [3]],
    ["row", row(of(2, 3), 1), [3]],
    ["matmul", matmul(of(2, 3), of(3, 4)), [2, 4]],
    [
      "matmul, both transposed",
      matmul(of(3, 2), of(4, 3), { transposeA: true, transposeB: true }),
      [2, 4],
    ],
    ["conv2d", conv2d(of(2, 3, 32, 32), of(16, 3, 3, 3), { padding: 1 }), [2, 16, 32, 32]],
    [
      "strided conv2d",
      conv2d(of(2, 3, 9, 8), of(4, 3, 3, 3), { stride: 2, padding: [1, 0] }),
      [2, 4, 5, 3],
    ],
    ["maxPool", maxPool(of(2, 3, 7, 8), { kernel: 2 }), [2, 3, 3, 4]],
    [
      "overlapping maxPool",
      maxPool(of(2, 3, 32, 31), { kernel: 3, stride: 2, padding: 1 }),
      [2, 3, 16, 16],
    ],
    ["moments", moments(of(2, 3, 4, 4)), [2, 3]],
    ["moments of a matrix", moments(of(5, 3)), [2, 3]],
    ["scaled channels", scaleChannels(of(5, 3), of(3)), [5, 3]],
    ["rows", rows(of(6, 2), start, { range }), [3, 2]],
    ["rows of a vector", rows(of(6), start, { range, index: 1 }), [3]],
    ["addRows", addRows(of(6, 2), of(3, 2), start, { range }), [6, 2]],
    ["crop", crop(of(2, 3, 4, 4), start, window), [2, 3, 2, 5]],
    ["addCrop", addCrop(of(2, 3, 4, 4), of(2, 3, 2, 5), start, window), [2, 3, 4, 4]],
    ["softmaxCrossEntropy", softmaxCrossEntropy(of(5, 10), whole(5)), [5]],
  ];
  for (const [name, { shape, dtype }, expected] of shapes) {
    t.deepEqual([shape, dtype], [expected, "float32"], name);
  }
  t.equal(rows(whole(6), start, { range }).dtype, "int32", "rows of labels stay int32");
  t.deepEqual(convolvedShape([2, 3, 9, 9], [4, 3, 3, 3], { stride: 2, padding: 1 }), [2, 4, 5, 5]);
  t.end();
});
