// Gradients whose forward maps are computed once more: the same ones, from more nodes.

import {
  add,
  type Builder,
  conv2d,
  createBuilder,
  type Graph,
  grad,
  key,
  matmul,
  maxPool,
  moments,
  multiply,
  normal,
  normalize,
  reshape,
  row,
  sizeOf,
  sum,
  type Tensor,
} from "@fewnorm/tensor";
import test from "tape";
import { evaluate } from "./evaluate.ts";

const shapes = {
  x: [3, 2, 6, 6],
  stem: [4, 2, 3, 3],
  first1: [4, 4, 3, 3],
  second1: [4, 4, 3, 3],
  first2: [6, 4, 3, 3],
  second2: [6, 6, 3, 3],
  first3: [6, 6, 3, 3],
  second3: [6, 6, 3, 3],
};
const feeds = Object.fromEntries(
  Object.entries(shapes).map(([name, shape], i) => [name, normal(key(i), sizeOf(shape))]),
);

function normalized(x: Tensor, residual?: Tensor): Tensor {
  const statistics = moments(x);
  const ones = x.builder.constant(1, [x.shape[1] as number]);
  const [mean, scale] = [row(statistics, 0), add(row(statistics, 1), ones)];
  return normalize(x, mean, scale, ones, { relu: true, ...(residual && { residual }) });
}

/** Three residual blocks; the second has a stride, and a shortcut of every other pixel and more channels. */
function gradients(b: Builder, recompute: number): Record<string, Tensor | undefined> {
  const of = (name: keyof typeof shapes) => b.input(name, shapes[name]);
  let x = normalized(conv2d(of("x"), of("stem"), { padding: 1 }));
  for (const [first, second, stride] of [
    ["first1", "second1", 1],
    ["first2", "second2", 2],
    ["first3", "second3", 1],
  ] as const) {
    const y = normalized(conv2d(x, of(first), { stride, padding: 1 }));
    const z = conv2d(y, of(second), { padding: 1 });
    x = normalized(z, stride === 1 ? x : shortcut(x));
  }
  const names = ["x", "stem", "first1", "second1", "first2", "second2", "first3"] as const;
  const wrt = names.map(of);
  const loss = sum(multiply(x, x));
  const found = grad(loss, wrt, { recompute });
  return { loss, ...Object.fromEntries(names.map((name, i) => [name, found[i]])) };
}

function shortcut(x: Tensor): Tensor {
  const half = x.builder.append("slice", [x], {
    start: [0, 0, 0, 0],
    stride: [1, 1, 2, 2],
    shape: [3, 4, 3, 3],
  });
  return x.builder.append("pad", [half], {
    before: [0, 1, 0, 0],
    interior: [1, 1, 1, 1],
    shape: [3, 6, 3, 3],
  });
}

const normalizationsOf = (graph: Graph) =>
  graph.nodes.filter(({ op }) => op === "normalize").length;

test("recompute: the same gradients, of maps that are made twice", async (t) => {
  const held = await evaluate((b) => gradients(b, 0), feeds);
  // A block's first map takes 1 node, as the stem's does. The blocks' results take 1 more than what they add: 2, 5
  // with the shortcut's two, and 6; where one is held, the next begins at 1 again.
  for (const [recompute, normalizations] of [
    [0, 0],
    [1, 5],
    [4, 6],
    [5, 6],
    [6, 7],
  ] as const) {
    const { graph, values } = await evaluate((b) => gradients(b, recompute), feeds);
    t.deepEqual(values, held.values, `up to ${recompute} nodes: the same, bit for bit`);
    const more = normalizationsOf(graph) - normalizationsOf(held.graph);
    t.equal(more, normalizations, `${more} normalizations more`);
  }
});

test("recompute: convolutions and poolings read what is made once more, under the same label", async (t) => {
  for (const read of ["conv2d", "maxPool"] as const) {
    const body = (b: Builder) => {
      const [x, stem] = [b.input("x", shapes.x), b.input("stem", shapes.stem)];
      const [none, twice] = [b.constant(0, [2]), b.constant(2, [2])];
      const y = b.labelled("bn", () => normalize(x, none, twice, none));
      const loss = sum(read === "conv2d" ? conv2d(y, stem) : maxPool(y, { kernel: 2 }));
      const gradients = grad(loss, [x, stem], { recompute: 9 });
      return { loss, dx: gradients[0], dw: gradients[1] };
    };
    const { graph } = await evaluate(body, feeds);
    const labels = graph.nodes.flatMap(({ op, label, inputs }) =>
      op === "normalize" && inputs[0] === graph.inputs.x ? [label] : [],
    );
    t.deepEqual(labels, ["bn", "bn"], read);
  }
});

test("recompute: what is no map is held", async (t) => {
  const body = (b: Builder) => {
    const x = b.input("x", [3, 2]);
    const y = normalized(reshape(x, [3, 2]));
    const loss = sum(multiply(matmul(y, b.constant(0.5, [2, 2])), y));
    const [dx] = grad(loss, [x], { recompute: 9 });
    return { dx };
  };
  const { graph } = await evaluate(body, { x: normal(key(3), 6) });
  t.equal(normalizationsOf(graph), 1);
});

test("recompute: nothing but a whole number", (t) => {
  const x = createBuilder().input("x", [3]);
  const message = /grad: recompute is -1; give a whole number of nodes >= 0/;
  t.throws(() => grad(sum(x), [x], { recompute: -1 }), message);
  t.throws(() => grad(sum(x), [x], { recompute: 0.5 }), RangeError);
  t.end();
});
