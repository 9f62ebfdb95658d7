// Label smoothing against PyTorch, mixup against its formula.

import { readFileSync } from "node:fs";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import { createWasmBackend } from "@fewnorm/backend-wasm";
import { createScope } from "@fewnorm/nn";
import { broadcast, createBuilder, foldIn, grad, key, normal, slice } from "@fewnorm/tensor";
import { classification, mixup, type Objective, traceGradients } from "@fewnorm/train";
import test from "tape";
import { largestDifference } from "./steps.ts";
import { tinyModel } from "./tiny.ts";

const { smoothing } = JSON.parse(
  readFileSync(new URL("../../test/fixtures/optimizers.json", import.meta.url), "utf8"),
) as {
  readonly smoothing: {
    readonly logits: number[];
    readonly labels: number[];
    readonly results: Record<string, { readonly loss: number; readonly gradient: number[] }>;
  };
};

/** A softmax regression, and the gradient of its loss with respect to the logits: nothing but the objective. */
function traceObjective(objective = classification(), batch = 4, classes = 5) {
  const builder = createBuilder();
  const { scope, declarations } = createScope(builder, "train");
  const images = builder.input("images", [batch, classes]);
  const { logits, loss } = objective.record({
    scope,
    images,
    labels: builder.input("labels", [batch], "int32"),
    predict: (x) => x,
  });
  const [gradient] = grad(loss, [images]);
  builder.output("loss", loss);
  builder.output("logits", logits);
  if (gradient !== undefined) builder.output("gradient", gradient);
  return { graph: builder.finish(), draws: declarations.draws };
}

test("label smoothing is torch.nn.CrossEntropyLoss's", async (t) => {
  for (const [backend, tolerance] of [
    // Float64 rounding; and float32's, of logits of size 10.
    [createReferenceBackend({ precision: "float64" }), 1e-14],
    [await createWasmBackend({ threads: 2 }), 2e-6],
  ] as const) {
    for (const [share, { loss, gradient }] of Object.entries(smoothing.results)) {
      const { graph } = traceObjective(classification({ labelSmoothing: Number(share) }));
      const state = await backend.createState([]);
      const executable = await backend.compile(graph, state);
      const { logits: images, labels } = smoothing;
      const found = await executable.run({ images, labels });
      const off = [
        largestDifference([...(found.loss?.data ?? [])], [loss]),
        largestDifference([...(found.gradient?.data ?? [])], gradient),
      ];
      t.ok(Math.max(...off) < tolerance, `${share}: off by ${off}`);
    }
    await backend.dispose();
  }
});

test("mixup mixes images and the objective alike", async (t) => {
  const [batch, classes] = [5, 4];
  const { graph, draws } = traceObjective(mixup(classification(), { alpha: 1 }), batch, classes);
  t.deepEqual(
    draws.map(({ name }) => name),
    ["mixup.share", "mixup.shift"],
  );
  const images = Array.from(normal(key(1), batch * classes));
  const labels = [0, 1, 2, 3, 1];
  const logSoftmax = (row: readonly number[]) => {
    const sum = Math.log(row.reduce((a, x) => a + Math.exp(x), 0));
    return row.map((x) => x - sum);
  };
  for (const [backend, tolerance] of [
    [createReferenceBackend({ precision: "float64" }), 1e-14],
    [await createWasmBackend({ threads: 2 }), 1e-6],
  ] as const) {
    const executable = await backend.compile(graph, await backend.createState([]));
    const shares = new Set<number>();
    for (let step = 0; step < 8; step++) {
      const [share, shift] = draws.map(({ draw }, i) => draw(foldIn(key(step), i))) as [
        ArrayLike<number>,
        ArrayLike<number>,
      ];
      const [λ, by] = [Math.fround(share[0] as number), shift[0] as number];
      shares.add(λ);
      t.ok(λ >= 0.5 && λ <= 1 && by >= 1 && by < batch, `λ ${λ}, shift ${by}`);
      const row = (i: number) => images.slice((i % batch) * classes, ((i % batch) + 1) * classes);
      const mixed = Array.from({ length: batch }, (_, i) =>
        row(i).map((x, k) => λ * x + (1 - λ) * (row(i + by)[k] as number)),
      );
      const loss = mixed.reduce((total, logits, i) => {
        const log = logSoftmax(logits);
        const [own, other] = [labels[i] as number, labels[(i + by) % batch] as number];
        return total - (λ * (log[own] as number) + (1 - λ) * (log[other] as number)) / batch;
      }, 0);
      const feeds = { images, labels, "mixup.share": [λ], "mixup.shift": shift };
      const found = await executable.run(feeds);
      t.ok(largestDifference([...(found.logits?.data ?? [])], mixed.flat()) < tolerance, "logits");
      const off = largestDifference([...(found.loss?.data ?? [])], [loss]);
      t.ok(off < tolerance, `loss: off by ${off}`);
      // ∂loss/∂images by central differences, along one direction.
      const direction = normal(key(9), images.length);
      const h = tolerance < 1e-10 ? 1e-6 : 1e-2;
      const at = async (s: number) => {
        const moved = images.map((x, k) => x + s * (direction[k] as number));
        return (await executable.run({ ...feeds, images: moved })).loss?.data[0] as number;
      };
      const measured = ((await at(h)) - (await at(-h))) / (2 * h);
      const derived = Array.from(found.gradient?.data ?? []).reduce(
        (a, g, k) => a + g * (direction[k] as number),
        0,
      );
      // h² and rounding/h: 1e-9 in float64, 1e-3 in float32.
      const allowed = tolerance < 1e-10 ? 1e-8 : 2e-3;
      t.ok(Math.abs(measured - derived) < allowed, `slope ${measured} and ${derived}`);
    }
    t.equal(shares.size, 8, "each step has a share of its own");
    await backend.dispose();
  }
});

test("mixup's shares follow Beta(α, α)", (t) => {
  for (const alpha of [0.2, 1, 4]) {
    const { draws } = traceObjective(mixup(classification(), { alpha }));
    const count = 4000;
    // 4·(λ − 1/2)² is the same for λ and 1 − λ; its mean is the variance α-dependent 1/(2α + 1).
    const values = Array.from({ length: count }, (_, i) => {
      const λ = draws[0]?.draw(foldIn(key(17), i))[0] as number;
      return 4 * (λ - 0.5) ** 2;
    });
    const mean = values.reduce((a, b) => a + b, 0) / count;
    const expected = 1 / (2 * alpha + 1);
    const deviation = Math.sqrt(values.reduce((a, v) => a + (v - mean) ** 2, 0) / count / count);
    // Five standard errors: a false alarm in 2 million keys, and this key is fixed.
    t.ok(Math.abs(mean - expected) < 5 * deviation, `α ${alpha}: ${mean}, expected ${expected}`);
  }
  t.end();
});

test("objectives refuse what cannot work", (t) => {
  t.throws(() => classification({ labelSmoothing: 1 }), /labelSmoothing is 1/);
  t.throws(() => mixup(classification(), { alpha: 0 }), /alpha is 0/);
  t.throws(() => mixup(classification(), { alpha: 2000 }), /alpha is 2000; .* up to 1000/);
  t.throws(
    () => mixup(mixup(), { alpha: 0.4 }),
    /^RangeError: mixup: mixup\(cross-entropy, alpha 0\.2\) mixes images already; leave out one of/,
  );
  t.throws(() => mixup({ alpha: 0.4 } as object as Objective), /^TypeError: mixup: the first arg/);
  const otherwise = (change: (result: ReturnType<Objective["record"]>) => object): Objective => ({
    name: "own",
    record(context) {
      const result = classification().record(context);
      return { ...result, ...change(result) };
    },
  });
  for (const shape of [[1], [4]]) {
    const own = otherwise(({ loss }) => ({ loss: broadcast(loss, shape) }));
    t.throws(
      () => traceGradients(tinyModel(), { batch: 4, objective: own }),
      new RegExp(`^RangeError: trace: own makes a loss \\[${shape}\\]; it must be a scalar`),
    );
  }
  const fewer = otherwise(({ logits }) => ({
    logits: slice(logits, { start: [0, 0], shape: [4, 2] }),
  }));
  t.throws(
    () => traceGradients(tinyModel(), { batch: 4, objective: fewer }),
    /^RangeError: trace: own makes logits \[4, 2\]; they must be \[4, 3\]/,
  );
  const objective = mixup();
  t.throws(() => traceGradients(tinyModel(), { batch: 1, objective }), /batch of 1 image/);
  t.equal(objective.name, "mixup(cross-entropy, alpha 0.2)");
  t.equal(
    mixup(classification({ labelSmoothing: 0.1 }), { alpha: 1 }).name,
    "mixup(cross-entropy(label smoothing 0.1), alpha 1)",
  );
  t.end();
});
