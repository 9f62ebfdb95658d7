// Gradients that are given, and gradients that are stopped.

import {
  add,
  createBuilder,
  customGradient,
  divide,
  grad,
  multiply,
  relu,
  stopGradient,
  sum,
  type Tensor,
} from "@fewnorm/tensor";
import test from "tape";
import { evaluate } from "./evaluate.ts";

const feeds = { x: [1, 2, 3], w: [4, 5, 6] };

test("customGradient: the value stays, the given gradient replaces the derivative", async (t) => {
  const { values, graph } = await evaluate((b) => {
    const [x, w] = [b.input("x", [3]), b.input("w", [3])];
    const y = customGradient(multiply(x, w), [x, w], (g) => [multiply(g, 100), multiply(g, x)]);
    const [dx, dw] = grad(sum(multiply(y, 2)), [x, w]);
    return { y, dx, dw };
  }, feeds);
  t.deepEqual(values, { y: [4, 10, 18], dx: [200, 200, 200], dw: [2, 4, 6] });
  const idle = graph.nodes.some(({ op, shape }) => op === "reshape" && shape[0] === 3);
  t.notOk(idle, "it leaves no node in the graph");
});

test("customGradient: operands that the value does not contain", async (t) => {
  const { values } = await evaluate((b) => {
    const [x, w] = [b.input("x", [3]), b.input("w", [3])];
    const y = customGradient(relu(x), [w], (g) => [multiply(g, 7)]);
    const [dx, dw] = grad(sum(y), [x, w]);
    return { dx, dw };
  }, feeds);
  t.deepEqual(values, { dx: [0, 0, 0], dw: [7, 7, 7] });
});

test("customGradient: undefined is no gradient", async (t) => {
  const { values } = await evaluate((b) => {
    const [x, w] = [b.input("x", [3]), b.input("w", [3])];
    const y = customGradient(multiply(x, w), [x, w], (g) => [undefined, g]);
    const [dx, dw] = grad(add(sum(y), sum(x)), [x, w]);
    return { dx, dw };
  }, feeds);
  t.deepEqual(values, { dx: [1, 1, 1], dw: [1, 1, 1] });
});

test("customGradient: an equal operation beside it keeps its own derivative", async (t) => {
  const { values } = await evaluate((b) => {
    const [x, w] = [b.input("x", [3]), b.input("w", [3])];
    const plain = multiply(x, w);
    const custom = customGradient(multiply(x, w), [x], (g) => [multiply(g, 1000)]);
    const [dx, dw] = grad(sum(add(plain, custom)), [x, w]);
    return { dx, dw };
  }, feeds);
  t.deepEqual(values, { dx: [1004, 1005, 1006], dw: [1, 2, 3] });
});

test("customGradient: two of one value, one within the other", async (t) => {
  const { values } = await evaluate((b) => {
    const x = b.input("x", [3]);
    const inner = customGradient(multiply(x, 2), [x], (g) => [multiply(g, 10)]);
    const outer = customGradient(inner, [inner], (g) => [multiply(g, 3)]);
    const [throughBoth] = grad(sum(outer), [x]);
    const [throughInner] = grad(sum(inner), [x]);
    return { throughBoth, throughInner };
  }, feeds);
  t.deepEqual(values, { throughBoth: [30, 30, 30], throughInner: [10, 10, 10] });
});

test("customGradient: a gradient that is not shaped as its operand is refused", async (t) => {
  const b = createBuilder();
  const x = b.input("x", [3]);
  const shared = b.labelled("layer1", () => customGradient(multiply(x, 2), [x], (g) => [sum(g)]));
  t.throws(
    () => grad(sum(add(shared, x)), [x]),
    /^RangeError: grad: a custom gradient of layer "layer1" is \[\]; it must be \[3\], as its operand/,
  );
});

test("stopGradient: a constant to the gradient alone", async (t) => {
  const { values } = await evaluate((b) => {
    const x = b.input("x", [3]);
    const [half] = grad(sum(multiply(x, stopGradient(x))), [x]);
    const [none] = grad(sum(stopGradient(multiply(x, x))), [x]);
    const [whole] = grad(sum(multiply(x, x)), [x]);
    return { half, none, whole };
  }, feeds);
  t.deepEqual(values, { half: [1, 2, 3], none: [0, 0, 0], whole: [2, 4, 6] });
});

test("grad: of an intermediate value, of what the loss does not depend on, of the loss", async (t) => {
  const { values } = await evaluate((b) => {
    const [x, w] = [b.input("x", [3]), b.input("w", [3])];
    const y = multiply(x, x);
    const loss = sum(multiply(y, y));
    const [dy, dx, dw, dloss] = grad(loss, [y, x, w, loss]);
    return { dy, dx, dw, dloss };
  }, feeds);
  t.deepEqual(values, { dy: [2, 8, 18], dx: [4, 32, 108], dw: [0, 0, 0], dloss: [1] });
});

test("grad: a loss of one element in any rank", async (t) => {
  const { values } = await evaluate((b) => {
    const x = b.input("x", [3]);
    const [dx] = grad(b.append("reshape", [sum(divide(x, 4))], { shape: [1, 1] }), [x]);
    return { dx };
  }, feeds);
  t.deepEqual(values, { dx: [0.25, 0.25, 0.25] });
});

test("grad: nodes of the gradient carry the label of the layer that they belong to", async (t) => {
  const { graph } = await evaluate((b) => {
    const x = b.input("x", [3]);
    const a = b.labelled("first", () => relu(x));
    const y = b.labelled("second", () => divide(1, a));
    const [dx] = grad(sum(y), [x]);
    return { dx };
  }, feeds);
  const labelOf = (op: string) => graph.nodes.filter((n) => n.op === op).map((n) => n.label);
  t.deepEqual(labelOf("reluGrad"), ["first"]);
  t.ok(labelOf("divide").every((label) => label === "second"));
});

test("grad: errors", (t) => {
  const [one, two] = [createBuilder(), createBuilder()];
  const [x, foreign] = [one.input("x", [2, 3]), two.input("x", [2, 3])];
  t.throws(() => grad(x, [x]), /grad: the loss is \[2, 3\]; reduce it to one element/);
  t.throws(() => grad(sum(x), [foreign]), /grad: a tensor belongs to another graph/);
  const stranger = (from: readonly Tensor[]) => customGradient(relu(x), from, () => []);
  t.throws(() => stranger([foreign]), /customGradient: a tensor belongs to another graph/);
  t.end();
});
