// Convolutions of random geometry, forward and both gradients, against the reference on random thread counts.

import type { Backend } from "@fewnorm/backend";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import { createWasmBackend } from "@fewnorm/backend-wasm";
import {
  conv2d,
  foldIn,
  type Graph,
  grad,
  type Key,
  key,
  multiply,
  normal,
  randomInteger,
  type Shape,
  sizeOf,
  sum,
  trace,
} from "@fewnorm/tensor";
import test from "tape";

interface Geometry {
  readonly x: Shape;
  readonly w: Shape;
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly groups: number;
  readonly relu: boolean;
}

function randomGeometry(from: Key): Geometry {
  let draws = 0;
  const pick = (values: readonly number[]) =>
    values[randomInteger(foldIn(from, draws++), values.length)] as number;
  const depthwise = pick([0, 0, 0, 1]) === 1;
  const groups = depthwise ? pick([5, 8, 12, 24]) : pick([1, 1, 1, 1, 2, 3]);
  const channels = groups * (depthwise ? 1 : pick([1, 2, 3, 4, 5, 8, 16, 17]));
  const outputs = groups * (depthwise ? 1 : pick([1, 3, 4, 7, 8, 12, 16, 24]));
  const [kh, kw] = [pick([1, 2, 3, 3, 3, 5]), pick([1, 2, 3, 3, 3, 7])];
  return {
    x: [pick([1, 2, 3, 5, 13]), channels, kh + pick([0, 1, 4, 9, 13]), kw + pick([0, 1, 5, 8, 14])],
    w: [outputs, channels / groups, kh, kw],
    stride: [pick([1, 1, 1, 2, 3]), pick([1, 1, 1, 2, 3])],
    padding: [pick([0, 1, 1, 2, 4]), pick([0, 1, 1, 2, 3])],
    groups,
    relu: pick([0, 1]) === 1,
  };
}

/** y, and the gradients of Σ y·g. */
function graphOf({ x, w, relu, ...geometry }: Geometry): Graph {
  return trace((builder) => {
    const [image, weights] = [builder.input("x", x), builder.input("w", w)];
    const y = conv2d(image, weights, { ...geometry, relu });
    builder.output("y", y);
    const g = builder.input("g", y.shape);
    const [dx, dw] = grad(sum(multiply(y, g)), [image, weights]);
    for (const [name, gradient] of Object.entries({ dx, dw })) {
      if (gradient !== undefined) builder.output(name, gradient);
    }
  });
}

function feedsOf(graph: Graph, from: Key): Record<string, Float32Array> {
  return Object.fromEntries(
    Object.entries(graph.inputs).map(([name, id], j) => {
      const size = sizeOf(graph.nodes[id]?.shape ?? []);
      return [name, Float32Array.from(normal(foldIn(from, j), size))];
    }),
  );
}

async function evaluate(backend: Backend, graph: Graph, feeds: Record<string, Float32Array>) {
  const executable = await backend.compile(graph);
  const results = await executable.run(feeds);
  await executable.dispose();
  return results;
}

const COUNT = 200;

test(`${COUNT} random convolutions`, async (t) => {
  const reference = await createReferenceBackend({ precision: "float64" });
  const engines = [
    await createWasmBackend({ threads: 1 }),
    await createWasmBackend({ threads: 2, simd: "plain" }),
    await createWasmBackend({ threads: 3 }),
    await createWasmBackend({ threads: 2, simd: "relaxed" }),
  ];
  for (let i = 0; i < COUNT; i++) {
    const geometry = randomGeometry(foldIn(key(7), i));
    const graph = graphOf(geometry);
    const feeds = feedsOf(graph, foldIn(key(8), i));
    const expected = await evaluate(reference, graph, feeds);
    const engine = engines[i % engines.length] as Backend;
    const actual = await evaluate(engine, graph, feeds);
    const faults = Object.entries(expected).flatMap(([name, { data }]) => {
      const [right, found] = [Array.from(data), actual[name]?.data ?? []];
      const largest = right.reduce((top, value) => Math.max(top, Math.abs(value)), 0);
      const worst = right.reduce(
        (top, value, at) => Math.max(top, Math.abs(value - (found[at] ?? Number.NaN))),
        0,
      );
      // Sums of some hundred products round to 1e-6 of the largest; Winograd's transforms add a factor of ten.
      return worst <= 2e-5 * largest ? [] : [`${name} is off by ${worst} of ${largest}`];
    });
    t.equal(faults.join("; "), "", `${engine.description}: ${JSON.stringify(geometry)}`);
  }
  for (const backend of [reference, ...engines]) await backend.dispose();
  t.end();
});

const wide = await createWasmBackend({ threads: 2, simd: "wide" }).catch(
  ({ message }: Error) => message,
);

const skip = typeof wide === "string" ? wide : false;
test(`wide SIMD gives the bits of relaxed SIMD in ${COUNT} random convolutions`, {
  skip,
}, async (t) => {
  const relaxed = await createWasmBackend({ threads: 2, simd: "relaxed" });
  for (let i = 0; i < COUNT; i++) {
    const geometry = randomGeometry(foldIn(key(9), i));
    const graph = graphOf(geometry);
    const feeds = feedsOf(graph, foldIn(key(10), i));
    const actual = await evaluate(wide as Backend, graph, feeds);
    t.deepEqual(actual, await evaluate(relaxed, graph, feeds), JSON.stringify(geometry));
  }
  for (const backend of [relaxed, wide as Backend]) await backend.dispose();
  t.end();
});
