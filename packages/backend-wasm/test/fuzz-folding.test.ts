// Random chains of convolutions with folded normalization, forward and backward: where the planner puts masks, sums
// and a window's gradient into the kernels of others. Against the reference in float64.

import type { Backend } from "@fewnorm/backend";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import { createWasmBackend } from "@fewnorm/backend-wasm";
import {
  add,
  conv2d,
  crop,
  divide,
  foldIn,
  type Graph,
  grad,
  joinRows,
  type Key,
  key,
  moments,
  multiply,
  normal,
  normalize,
  randomInteger,
  reshape,
  row,
  rows,
  sameShape,
  sizeOf,
  sqrt,
  subtract,
  sum,
  type Tensor,
  trace,
} from "@fewnorm/tensor";
import test from "tape";
import { differences } from "./differences.ts";

const IMAGES = 12;
const SAMPLED = 2;
const ring = (offset: number, count: number) => ({ base: 0, modulo: IMAGES, offset, count });

/** How a layer is normalized: by a window of all images, or by whole images. */
type Sampling = "window" | "rows";

interface Layer {
  readonly sampling: Sampling;
  readonly channels: number;
  readonly stride: number;
  /** How many layers before its input comes from that is added: 0 for none. */
  readonly skip: number;
}

/** Loss and gradients of layers on images [12, 8, 13, 11]; gammas and origins are inputs. */
function chain(layers: readonly Layer[]): Graph {
  return trace((builder) => {
    const origins = builder.input("origins", [3 * layers.length], "int32");
    const leaves: Tensor[] = [];
    const input = (name: string, shape: readonly number[]) => {
      const tensor = builder.input(name, shape);
      leaves.push(tensor);
      return tensor;
    };
    let x = input("x", [IMAGES, 8, 13, 11]);
    const inputs: Tensor[] = [];
    for (const [i, { sampling, channels, stride, skip }] of layers.entries()) {
      const [, depth = 1] = x.shape;
      const w = input(`w${i}`, [channels, depth, 3, 3]);
      const gamma = input(`gamma${i}`, [channels]);
      const beta = input(`beta${i}`, [channels]);
      const size = [Math.ceil((x.shape[2] ?? 1) / stride), Math.ceil((x.shape[3] ?? 1) / stride)];
      inputs.push(x);
      const skipped = skip > 0 ? inputs.at(-skip) : undefined;
      const fits = sameShape(skipped?.shape ?? [], [IMAGES, channels, ...size]);
      const residual = fits ? skipped : undefined;
      const range = ring(0, SAMPLED);
      const place = { start: origins, index: 3 * i, range };
      const few =
        sampling === "rows"
          ? rows(x, origins, place)
          : crop(x, origins, {
              index: 3 * i + 1,
              height: stride * Math.min(1, (size[0] ?? 1) - 2) + 3,
              width: stride * Math.min(3, (size[1] ?? 1) - 2) + 3,
              stride: [stride, stride],
              offset: [-1, -1],
            });
      const z = conv2d(few, w, { stride, padding: sampling === "rows" ? 1 : 0 });
      const statistics = moments(z);
      const mean = row(statistics, 0);
      const scale = divide(gamma, sqrt(add(row(statistics, 1), 0.01)));
      const folded = multiply(w, reshape(scale, [channels, 1, 1, 1]));
      const bias = subtract(beta, multiply(scale, mean));
      const convolved = (of: Tensor, added: Tensor | undefined) =>
        conv2d(of, folded, { stride, padding: 1, bias, residual: added, relu: true });
      if (sampling === "window") {
        x = convolved(x, residual);
        continue;
      }
      const rest = { start: origins, index: 3 * i, range: ring(SAMPLED, IMAGES - SAMPLED) };
      const of = (at: typeof rest) => residual && rows(residual, origins, at);
      const part = normalize(z, mean, scale, beta, { residual: of(place), relu: true });
      const others = convolved(rows(x, origins, rest), of(rest));
      x = joinRows([
        { ...place, part },
        { ...rest, part: others },
      ]);
    }
    const loss = sum(multiply(x, input("weights", x.shape)));
    builder.output("loss", loss);
    for (const [i, gradient] of grad(loss, leaves).entries())
      builder.output(`gradient of ${i}`, gradient);
  });
}

function feedsOf({ inputs, nodes }: Graph, from: Key): Record<string, ArrayLike<number>> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, id], i) => {
      const size = sizeOf(nodes[id]?.shape ?? []);
      // Starts of rows, and where windows of up to 2 × 4 results lie in maps of at least 3 × 5.
      const origin = (k: number) => (k % 3 === 0 ? (5 * k + 7) % IMAGES : k % 2);
      if (name === "origins") return [name, Int32Array.from({ length: size }, (_, k) => origin(k))];
      const values = Float32Array.from(normal(foldIn(from, i), size), (value) => value / 2);
      // Channels that are switched off, and nearly so.
      if (name.startsWith("gamma")) values.set([0, 1e-30], 1);
      return [name, values];
    }),
  );
}

const randomLayers = (from: Key): Layer[] =>
  Array.from({ length: 4 }, (_, i): Layer => {
    const pick = (what: number, count: number) =>
      randomInteger(foldIn(foldIn(from, i), what), count);
    return {
      sampling: pick(0, 2) === 0 ? "rows" : "window",
      channels: [8, 8, 8, 5, 16][pick(1, 5)] ?? 8,
      stride: i < 2 && pick(2, 3) > 0 ? 2 : 1,
      skip: pick(3, 3),
    };
  });

const COUNT = 60;

test(`${COUNT} random chains of folded layers`, async (t) => {
  const reference = await createReferenceBackend();
  const engines: Backend[] = [];
  for (const threads of [1, 2, 3]) engines.push(await createWasmBackend({ threads }));
  for (let i = 0; i < COUNT; i++) {
    const from = foldIn(key(5), i);
    const layers = randomLayers(from);
    const graph = chain(layers);
    const feeds = feedsOf(graph, from);
    const [exact, engine] = [
      await reference.compile(graph),
      engines[i % engines.length] as Backend,
    ];
    const executable = await engine.compile(graph);
    const [expected, actual] = [await exact.run(feeds), await executable.run(feeds)];
    const wrong = differences(expected, actual, 2e-4);
    const words = layers.map((layer) => JSON.stringify(layer)).join(", ");
    t.deepEqual(wrong, [], `${engine.description}: ${words}`);
    await executable.dispose();
    await exact.dispose();
  }
  for (const backend of [reference, ...engines]) await backend.dispose();
  t.end();
});

test("what folded layers compute in passing", async (t) => {
  const backend = await createWasmBackend({ threads: 1 });
  for (const sampling of ["window", "rows"] as const) {
    const layer = { sampling, channels: 8, stride: 1, skip: 0 };
    const graph = chain([layer, layer, layer]);
    const executable = await backend.compile(graph);
    const times = await executable.profile?.(feedsOf(graph, key(1)));
    const counts = new Map<string, number>();
    for (const { nodes } of times ?? [])
      for (const id of nodes) {
        const { op } = graph.nodes[id] as (typeof graph.nodes)[number];
        counts.set(op, (counts.get(op) ?? 0) + 1);
      }
    t.equal(
      counts.get("reluGrad"),
      sampling === "rows" ? 2 : 1,
      `${sampling}: only the last layer's ReLU has a gradient of its own`,
    );
    const convolutions = sampling === "rows" ? 6 : 3;
    t.equal(counts.get("conv2dInputGrad"), convolutions, `${sampling}: input gradients`);
    await executable.dispose();
  }
  await backend.dispose();
  t.end();
});

test("an input gradient lies in the rows of the residual's gradient", async (t) => {
  const graph = trace((builder) => {
    const origins = builder.input("origins", [1], "int32");
    const [x, residual] = [
      builder.input("x", [IMAGES, 8, 9, 9]),
      builder.input("r", [IMAGES, 8, 9, 9]),
    ];
    const [w0, w1] = [builder.input("w0", [8, 8, 3, 3]), builder.input("w1", [8, 8, 3, 3])];
    const part = (offset: number, count: number) => {
      const at = { start: origins, index: 0, range: ring(offset, count) };
      const added = rows(residual, origins, at);
      return conv2d(rows(x, origins, at), w0, { padding: 1, residual: added, relu: true });
    };
    const [few, others] = [part(0, SAMPLED), part(SAMPLED, IMAGES - SAMPLED)];
    const weighted = (tensor: Tensor, name: string) =>
      sum(multiply(tensor, builder.input(name, tensor.shape)));
    const next = conv2d(others, w1, { padding: 1 });
    const loss = add(weighted(few, "a"), add(weighted(others, "b"), weighted(next, "c")));
    for (const [i, gradient] of grad(loss, [x, residual, w0, w1]).entries())
      builder.output(`gradient of ${i}`, gradient);
  });
  const reference = await createReferenceBackend();
  const exact = await reference.compile(graph);
  for (const threads of [1, 2]) {
    const backend = await createWasmBackend({ threads });
    const executable = await backend.compile(graph);
    for (const origin of [0, 7, 11]) {
      const feeds = { ...feedsOf(graph, key(origin)), origins: Int32Array.of(origin) };
      const [expected, actual] = [await exact.run(feeds), await executable.run(feeds)];
      t.deepEqual(differences(expected, actual, 2e-4), [], `${backend.description}: ${origin}`);
    }
    const times = await executable.profile?.({
      ...feedsOf(graph, key(1)),
      origins: Int32Array.of(1),
    });
    const computed = (times ?? []).flatMap(({ nodes }) => nodes.map((id) => graph.nodes[id]?.op));
    t.equal(computed.filter((op) => op === "reluGrad").length, 1, "that of the few rows");
    await backend.dispose();
  }
  await reference.dispose();
  t.end();
});
