// The graph builder: sharing, pruning, names, foreign tensors, labels.

import {
  add,
  type Builder,
  createBuilder,
  divide,
  type Graph,
  multiply,
  type Node,
  relu,
  reshape,
  rows,
  type Shape,
  stopGradient,
  subtract,
  sum,
  trace,
} from "@fewnorm/tensor";
import test from "tape";

const opsOf = (graph: Graph): string[] => graph.nodes.map(({ op }) => op);

test("a graph is plain data in the order of its uses", (t) => {
  const graph = trace((b) => {
    const [x, w] = [b.input("x", [2, 3]), b.state("w", [3])];
    b.output("y", relu(add(x, w)));
    b.update("w", multiply(w, 0.5));
  });
  t.deepEqual(
    JSON.parse(JSON.stringify(graph)),
    structuredClone(graph),
    "survives JSON and cloning",
  );
  t.deepEqual(
    graph.nodes.map(({ id }) => id),
    graph.nodes.map((_, i) => i),
    "ids are indices",
  );
  t.ok(
    graph.nodes.every(({ id, inputs }) => inputs.every((from) => from < id)),
    "inputs come first",
  );
  const nodeOf = (id: number | undefined) => graph.nodes[id ?? -1] as Node;
  t.equal(nodeOf(graph.inputs.x).op, "input");
  t.equal(nodeOf(graph.states.w).op, "state");
  t.deepEqual(nodeOf(graph.outputs.y).shape, [2, 3]);
  t.equal(nodeOf(graph.updates.w).op, "multiply");
  t.end();
});

test("equal nodes are recorded once, different ones are not", (t) => {
  const b = createBuilder();
  const [x, y] = [b.input("x", [2]), b.input("y", [2])];
  t.equal(add(x, y).id, add(x, y).id, "same primitive and operands");
  t.notEqual(add(x, y).id, add(y, x).id, "operands in another order");
  t.notEqual(add(x, y).id, subtract(x, y).id, "another primitive");
  t.equal(b.constant(2).id, b.constant(2).id, "same constant");
  t.notEqual(b.constant(2).id, b.constant(2, [1]).id, "constant of another shape");
  t.notEqual(b.constant(2).id, b.constant(2, [], "int32").id, "constant of another dtype");
  const odd = [NaN, Infinity, -Infinity, 0, -0].map((value) => b.constant(value).id);
  t.equal(new Set(odd).size, 5, "numbers that JSON does not tell apart");
  const values = [1, 2];
  const before = b.constant(values, [2]).id;
  values[0] = 3;
  t.equal(b.constant([1, 2], [2]).id, before, "a constant keeps the values that it was given");
  t.notEqual(b.constant(values, [2]).id, before, "other values in the same array");
  t.deepEqual(b.nodes[before]?.attributes, { values: [1, 2], shape: [2], dtype: "float32" });
  t.equal(b.input("x", [2]).id, x.id, "an input read again");
  t.equal(b.state("w", [2]).id, b.state("w", [2]).id, "a state read again");
  t.notEqual(stopGradient(x).id, stopGradient(x).id, "custom gradients stay apart");
  t.end();
});

test("what neither an output nor an update needs is left out", (t) => {
  const graph = trace((b) => {
    const [x, idle] = [b.input("x", [2]), b.input("idle", [2])];
    relu(idle);
    multiply(b.state("w", [2]), 3);
    b.state("v", [2]);
    b.output("y", relu(x));
    b.update("v", x);
  });
  t.deepEqual(opsOf(graph), ["input", "relu"]);
  t.deepEqual(Object.keys(graph.inputs), ["x"]);
  t.deepEqual(Object.keys(graph.states), [], "a state whose old value nothing needs");
  t.deepEqual(Object.keys(graph.updates), ["v"], "is still updated");
  t.end();
});

test("reshapes that change nothing are left out, others kept", (t) => {
  const graph = trace((b) => {
    const x = b.input("x", [2, 3]);
    b.output("same", stopGradient(reshape(x, [2, 3])));
    b.output("back", reshape(reshape(x, [6]), [2, 3]));
    b.output("x", x);
  });
  t.deepEqual(opsOf(graph), ["input", "reshape", "reshape"]);
  t.equal(graph.outputs.same, graph.outputs.x);
  t.end();
});

test("names: taken ones are errors, odd ones are fine", (t) => {
  const b = createBuilder();
  const x = b.input("x", [2]);
  const w = b.state("w", [2]);
  t.throws(
    () => b.input("x", [3]),
    /input: "x" is already float32 \[2\], not float32 \[3\]; choose/,
  );
  t.throws(() => b.input("x", [2], "int32"), /input: "x" is already float32 \[2\], not int32/);
  t.throws(() => b.state("w", [2, 1]), /state: "w" is already float32 \[2\], not float32 \[2, 1\]/);
  b.output("y", x);
  t.throws(() => b.output("y", w), /output: "y" exists already; choose another name/);
  t.throws(() => b.update("v", x), /update: there is no state "v"; read it with state\(\) first/);
  t.throws(() => b.update("w", sum(x)), /^RangeError: update: "w" is \[2\], its next value \[\]/);
  const whole = b.input("i", [2], "int32");
  t.throws(() => b.update("w", whole), /^TypeError: update: "w" is float32, its next value int32/);
  b.update("w", x);
  t.throws(
    () => b.update("w", x),
    /update: "w" has its next value already, .*; give layers different/,
  );
  for (const name of ["constructor", "toString", "__proto__", "", "layer1.0.bn1.weight"]) {
    b.output(name, b.input(name, [3]));
    b.update(name, b.state(name, [3]));
  }
  const graph = b.finish();
  t.ok(Object.hasOwn(graph.inputs, "__proto__") && Object.hasOwn(graph.outputs, "constructor"));
  t.equal(Object.keys(graph.outputs).length, 6);
  t.end();
});

test("tensors of another graph are errors, wherever they are used", (t) => {
  const [one, two] = [createBuilder(), createBuilder()];
  const [mine, foreign] = [one.input("x", [2]), two.input("x", [2])];
  one.state("w", [2]);
  const words = /^TypeError: .*: a tensor belongs to another graph; use tensors of one trace only/;
  // The same ids and attributes as an operation that was recorded before.
  add(mine, mine);
  t.throws(() => add(mine, foreign), words);
  t.throws(() => add(foreign, mine), words);
  t.throws(() => one.output("y", foreign), words);
  t.throws(() => one.update("w", foreign), words);
  t.end();
});

test("what is no tensor is refused, and no tensor of another graph", (t) => {
  const b = createBuilder();
  const x = b.input("x", [2]);
  for (const [none, shown] of [
    ["1", '"1"'],
    [undefined, "undefined"],
    [[1, 2], "an array"],
    [new Float32Array(2), "another object"],
  ] as const) {
    const message = `${shown} is no tensor; give what the builder's input, state or constant makes, or an operation`;
    t.throws(() => add(x, none as never), { name: "TypeError", message: `add: ${message}` });
    t.throws(() => add(none as never, x), { name: "TypeError", message: `add: ${message}` });
    const output = () => b.output("y", none as never);
    t.throws(output, { name: "TypeError", message: `output: ${message}` });
  }
  t.end();
});

test("trace: the body is a function that is not async", (t) => {
  t.throws(
    () => trace(undefined as never),
    /^TypeError: trace: body is undefined; give a function/,
  );
  // Its type allows this: what is recorded behind an await would be missing.
  const asynchronous = async (b: Builder) => b.output("y", b.input("x", [2]));
  t.throws(() => trace(asynchronous), /^TypeError: trace: body returned a promise/);
  t.end();
});

test("shapes with sizes below 1 are errors", (t) => {
  const b = createBuilder();
  t.throws(() => b.input("x", [2, 0]), /^RangeError: input: shape \[2, 0\]/);
  t.throws(() => b.state("w", [-1]), /^RangeError: state: shape \[-1\]/);
  t.throws(() => b.constant(0, [1.5]), /^RangeError: constant: shape \[1.5\]/);
  t.throws(() => b.constant([1, 2], [3]), /constant: 2 values do not fill shape \[3\]/);
  const whole = (values: number | readonly number[], shape: Shape) => () =>
    b.constant(values, shape, "int32");
  t.throws(whole([1, 1.5], [2]), /^TypeError: constant: 1\.5 at 1 is not a whole number of 32/);
  t.throws(whole(2 ** 31, [2]), /^TypeError: constant: 2147483648 at 0 is not a whole number/);
  t.end();
});

test("labels: nested, and restored after an error", (t) => {
  const b = createBuilder();
  const x = b.input("x", [2]);
  const labelOf = (tensor: { id: number }) => b.nodes[tensor.id]?.label;
  const inner = b.labelled("outer", () => b.labelled("inner", () => relu(x)));
  t.equal(labelOf(inner), "inner");
  t.throws(() =>
    b.labelled("broken", () => {
      throw new Error("within");
    }),
  );
  t.equal(labelOf(divide(x, 2)), "");
  t.end();
});

test("rows: what needs no node has none", (t) => {
  const b = createBuilder();
  const [x, start] = [b.input("x", [4, 2]), b.input("start", [1], "int32")];
  const still = b.constant(0, [1], "int32");
  const all = { base: 0, modulo: 4, offset: 0, count: 4 };
  t.equal(rows(x, still, { range: all }).id, x.id, "all rows from the first on");
  t.notEqual(rows(x, start, { range: all }).id, x.id, "all rows, turned");
  t.end();
});
