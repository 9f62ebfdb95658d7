// What primitives cost, from counts made by hand.

import {
  add,
  conv2d,
  grad,
  graphCost,
  matmul,
  maxPool,
  moments,
  type Node,
  nodeCost,
  relu,
  reshape,
  rows,
  sum,
  trace,
} from "@fewnorm/tensor";
import test from "tape";

const costOf = (op: string, graph: ReturnType<typeof trace>) =>
  nodeCost(graph, graph.nodes.find((node) => node.op === op) as Node);

test("a 3x3 convolution of a ResNet: 2·N·O·H·W·C·9 flops, forward and for each gradient", (t) => {
  const [n, c, o, h] = [4, 16, 32, 8];
  const graph = trace((b) => {
    const [x, w] = [b.input("x", [n, c, h, h]), b.input("w", [o, c, 3, 3])];
    const y = conv2d(x, w, { padding: 1 });
    const [dx, dw] = grad(sum(y), [x, w]);
    b.output("dx", dx as typeof x);
    b.output("dw", dw as typeof x);
    b.output("y", y);
  });
  const flops = 2 * n * o * h * h * c * 9;
  const [x, w, y] = [n * c * h * h, o * c * 9, n * o * h * h];
  t.deepEqual(costOf("conv2d", graph), { flops, bytes: 4 * (x + w + y) });
  t.deepEqual(costOf("conv2dInputGrad", graph), { flops, bytes: 4 * (y + w + x) });
  t.deepEqual(costOf("conv2dWeightGrad", graph), { flops, bytes: 4 * (x + y + w) });
  t.end();
});

test("strides, groups and epilogues of convolutions", (t) => {
  const strided = trace((b) => {
    const [x, w] = [b.input("x", [1, 4, 8, 8]), b.input("w", [6, 2, 3, 3])];
    b.output("y", conv2d(x, w, { stride: 2, padding: 1, groups: 2 }));
  });
  t.equal(costOf("conv2d", strided).flops, 2 * (6 * 4 * 4) * (2 * 9));
  const fused = trace((b) => {
    const [x, w] = [b.input("x", [1, 4, 8, 8]), b.input("w", [4, 4, 1, 1])];
    b.output("y", conv2d(x, w, { bias: b.input("b", [4]), residual: x, relu: true }));
  });
  t.equal(costOf("conv2d", fused).flops, 256 * (2 * 4 + 3), "an addition or comparison each");
  t.end();
});

test("other primitives", (t) => {
  const graph = trace((b) => {
    const [x, start] = [b.input("x", [6, 5]), b.input("start", [1], "int32")];
    const part = rows(x, start, { range: { base: 0, modulo: 6, offset: 0, count: 4 } });
    const y = relu(add(part, b.input("v", [5])));
    b.output("m", moments(y));
    b.output("p", matmul(y, b.input("w", [5, 7])));
    b.output("largest", maxPool(b.input("z", [1, 2, 9, 9]), { kernel: 3, stride: 2 }));
    b.output("r", reshape(y, [20]));
  });
  t.deepEqual(costOf("add", graph), { flops: 20, bytes: 4 * (20 + 5 + 20) });
  t.deepEqual(costOf("relu", graph), { flops: 20, bytes: 4 * 40 });
  t.deepEqual(costOf("matmul", graph), { flops: 2 * 4 * 7 * 5, bytes: 4 * (20 + 35 + 28) });
  t.deepEqual(costOf("maxPool", graph), { flops: 32 * 9, bytes: 4 * (162 + 32) });
  t.deepEqual(costOf("moments", graph), { flops: 4 * 20, bytes: 4 * (20 + 10) });
  for (const view of ["rows", "reshape", "input"]) {
    t.deepEqual(costOf(view, graph), { flops: 0, bytes: 0 }, `${view} is a view`);
  }
  const total = graph.nodes.map((node) => nodeCost(graph, node));
  t.deepEqual(graphCost(graph), {
    flops: total.reduce((sum, { flops }) => sum + flops, 0),
    bytes: total.reduce((sum, { bytes }) => sum + bytes, 0),
  });
  t.end();
});
