// Optimizers and what is put around them, against PyTorch and against formulas written out a second time.

import { readFileSync } from "node:fs";
import type { Backend } from "@fewnorm/backend";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import { createWasmBackend } from "@fewnorm/backend-wasm";
import {
  adamw,
  averaged,
  clipped,
  type LarsOptions,
  lars,
  type Optimizer,
  sgd,
  weightsOnly,
} from "@fewnorm/train";
import test from "tape";
import { largestDifference, parameterOf, stepsOf, type Values } from "./steps.ts";

interface Case {
  readonly kind: "sgd" | "adamw";
  readonly options: {
    readonly momentum?: number;
    readonly nesterov?: boolean;
    readonly weight_decay?: number;
    readonly betas?: readonly [number, number];
    readonly eps?: number;
  };
  readonly clip: number | null;
  readonly steps: readonly Values[];
}

const fixture = JSON.parse(
  readFileSync(new URL("../../test/fixtures/optimizers.json", import.meta.url), "utf8"),
) as {
  readonly rates: readonly number[];
  readonly initial: Values;
  readonly gradients: Record<string, Values>;
  readonly optimizers: Record<string, Case>;
};
const shapes = { p: [2, 3], q: [3] };
const course = { ...fixture, gradients: Object.values(fixture.gradients) };

function optimizerOf({ kind, options, clip }: Case): Optimizer {
  const { weight_decay: weightDecay, eps: epsilon, ...rest } = options;
  const decay = weightDecay === undefined ? {} : { weightDecay };
  const optimizer =
    kind === "sgd"
      ? sgd({ ...rest, ...decay })
      : adamw({ ...rest, ...decay, ...(epsilon === undefined ? {} : { epsilon }) });
  return clip === null ? optimizer : clipped(optimizer, clip);
}

const backends: Record<string, [create: () => Backend | Promise<Backend>, tolerance: number]> = {
  // Both compute in float64 and differ in the order of operations at most.
  "reference float64": [() => createReferenceBackend({ precision: "float64" }), 1e-13],
  // Float32 rounding of seven steps; a quotient m̂/√v̂ near 1 is right to a few 1e-7.
  "wasm, 1 thread": [() => createWasmBackend({ threads: 1 }), 5e-6],
  "wasm, 2 threads": [() => createWasmBackend({ threads: 2 }), 5e-6],
};

for (const [engine, [create, tolerance]] of Object.entries(backends)) {
  test(`SGD, Nesterov, AdamW and clipping agree with PyTorch over 7 steps on ${engine}`, async (t) => {
    const backend = await create();
    for (const [name, one] of Object.entries(fixture.optimizers)) {
      const found = await stepsOf(backend, optimizerOf(one), shapes, course);
      t.equal(found.length, 7);
      for (const [i, expected] of one.steps.entries()) {
        for (const parameter of ["p", "q"]) {
          const off = largestDifference(found[i]?.[parameter] ?? [], expected[parameter] ?? []);
          t.ok(off < tolerance, `${name}, step ${i + 1}, ${parameter}: off by ${off}`);
        }
      }
    }
    await backend.dispose();
  });

  test(`LARS follows the paper's algorithm on ${engine}`, async (t) => {
    const backend = await create();
    for (const options of [{}, { momentum: 0.5, weightDecay: 0.1, trust: 0.02 }, { momentum: 0 }]) {
      const found = await stepsOf(backend, lars(options), shapes, course);
      const expected = larsSteps(options);
      for (const [i, values] of expected.entries()) {
        for (const parameter of ["p", "q"]) {
          const off = largestDifference(found[i]?.[parameter] ?? [], values[parameter] ?? []);
          t.ok(off < tolerance, `step ${i + 1}, ${parameter}: off by ${off}`);
        }
      }
    }
    await backend.dispose();
  });

  test(`averages are those of the formula on ${engine}`, async (t) => {
    const backend = await create();
    const plain = await stepsOf(backend, sgd(), shapes, course);
    for (const decay of [0, 0.5, 0.999]) {
      const found = await stepsOf(backend, averaged(sgd(), decay), shapes, course);
      for (const [i, values] of found.entries()) {
        t.deepEqual(values.p, plain[i]?.p, "training is the same as without");
        // aₜ = Σ decayᵗ⁻ˢ·pₛ/Σ decayᵗ⁻ˢ
        const weights = Array.from({ length: i + 1 }, (_, s) => decay ** (i - s));
        const total = weights.reduce((a, b) => a + b, 0);
        const expected = Array.from({ length: 6 }, (_, k) =>
          weights.reduce((a, w, s) => a + (w / total) * (plain[s]?.p?.[k] as number), 0),
        );
        const off = largestDifference(values["p.average"] ?? [], expected);
        t.ok(off < tolerance, `decay ${decay}, step ${i + 1}: off by ${off}`);
      }
    }
    await backend.dispose();
  });
}

/** You et al., algorithm 1, for the matrix p; q, a vector, has the plain rate and no decay. */
function larsSteps({ momentum = 0.9, weightDecay = 5e-4, trust = 0.001 }: LarsOptions): Values[] {
  const norm = (values: readonly number[]) => Math.sqrt(values.reduce((a, x) => a + x * x, 0));
  const now: Record<string, { w: number[]; v: number[] }> = {};
  for (const [name, values] of Object.entries(fixture.initial)) {
    now[name] = { w: [...values], v: values.map(() => 0) };
  }
  return course.gradients.map((gradients, t) => {
    const rate = fixture.rates[t] as number;
    for (const [name, { w, v }] of Object.entries(now)) {
      const g = gradients[name] as number[];
      const β = name === "p" ? weightDecay : 0;
      const λ = name === "p" ? (trust * norm(w)) / (norm(g) + β * norm(w) + 1e-9) : 1;
      v.forEach((old, k) => {
        v[k] = momentum * old + rate * λ * ((g[k] as number) + β * (w[k] as number));
        w[k] = (w[k] as number) - (v[k] as number);
      });
    }
    return Object.fromEntries(Object.entries(now).map(([name, { w }]) => [name, [...w]]));
  });
}

test("plain SGD without momentum", async (t) => {
  const backend = createReferenceBackend({ precision: "float64" });
  const optimizer = sgd({ momentum: 0, weightDecay: 0.1, decays: weightsOnly });
  const [first] = await stepsOf(backend, optimizer, shapes, course);
  const [rate = 0] = fixture.rates;
  for (const [name, decay] of [
    ["p", 0.1],
    ["q", 0],
  ] as const) {
    const expected = (fixture.initial[name] as number[]).map((w, k) => {
      const g = course.gradients[0]?.[name]?.[k] as number;
      return w - rate * (g + decay * w);
    });
    // The same float64 operations.
    t.ok(largestDifference(first?.[name] ?? [], expected) < 1e-14, `${name} decays by ${decay}`);
  }
  await backend.dispose();
});

test("optimizers keep the slots that they need, none of them trained", (t) => {
  const parameters = [parameterOf("fc.weight", [2, 3]), parameterOf("fc.bias", [2])];
  const names = (optimizer: Optimizer) => optimizer.slots(parameters).map(({ name }) => name);
  const momenta = ["fc.weight.momentum", "fc.bias.momentum"];
  t.deepEqual(names(sgd()), momenta);
  t.deepEqual(names(sgd({ momentum: 0 })), []);
  t.deepEqual(names(lars()), momenta);
  t.deepEqual(names(clipped(sgd(), 1)), momenta);
  const wrapped = clipped(averaged(sgd(), 0.9), 1);
  t.deepEqual(names(wrapped), [
    ...momenta,
    "fc.weight.average",
    "fc.bias.average",
    "optimizer.average_correction",
  ]);
  t.equal(wrapped.evaluated?.("fc.bias"), "fc.bias.average");
  t.deepEqual(names(adamw()), [
    "fc.weight.exp_avg",
    "fc.weight.exp_avg_sq",
    "fc.bias.exp_avg",
    "fc.bias.exp_avg_sq",
    "optimizer.first_correction",
    "optimizer.second_correction",
  ]);
  t.ok(
    averaged(adamw())
      .slots(parameters)
      .every(({ kind }) => kind === "buffer"),
  );
  t.end();
});

test("names tell optimizers apart, as a checkpoint has to", (t) => {
  const all = [
    sgd(),
    sgd({ nesterov: true }),
    sgd({ decays: weightsOnly }),
    adamw(),
    adamw({ weightDecay: 0 }),
    lars(),
    lars({ trust: 0.01 }),
    clipped(sgd(), 1),
    clipped(sgd(), 2),
    averaged(sgd()),
    averaged(clipped(sgd(), 1)),
  ].map(({ name }) => name);
  t.equal(new Set(all).size, all.length, all.join("; "));
  t.equal(all[0], "sgd(momentum 0.9, weight decay 0.0005)");
  t.end();
});

test("optimizers refuse options out of range", (t) => {
  t.throws(() => sgd({ momentum: 1 }), /sgd: momentum is 1; give a number from 0/);
  t.throws(() => sgd({ momentum: Number.NaN }), /momentum is NaN/);
  t.throws(() => sgd({ weightDecay: -1 }), /sgd: weightDecay is -1/);
  t.throws(() => sgd({ nesterov: true, momentum: 0 }), /sgd: nesterov needs a momentum/);
  t.throws(() => adamw({ betas: [0.9, 1] }), /adamw: the second of betas is 1/);
  t.throws(() => adamw({ epsilon: 0 }), /adamw: epsilon is 0/);
  t.throws(() => lars({ trust: 0 }), /lars: trust is 0/);
  t.throws(() => lars({ weightDecay: -1 }), /lars: weightDecay is -1/);
  t.throws(() => clipped(sgd(), 0), /clipped: maxNorm is 0/);
  t.throws(() => averaged(sgd(), 1), /averaged: decay is 1/);
  t.throws(() => averaged(clipped(averaged(sgd()), 1)), /averaged: clipped.* has averages already/);
  t.end();
});

test("clipping scales gradients of any size to the norm that is asked for", async (t) => {
  const backend = createReferenceBackend({ precision: "float32" });
  const zeros = { p: new Array(6).fill(0), q: new Array(3).fill(0) };
  for (const size of [0.5, 1e3, 1e6, 1e9]) {
    const gradients = [{ p: new Array(6).fill(size / 3), q: new Array(3).fill(size / 3) }];
    const steps = { rates: [1], initial: zeros, gradients };
    const [step] = await stepsOf(backend, clipped(sgd({ momentum: 0 }), 1), shapes, steps);
    const length = Math.hypot(...(step?.p ?? []), ...(step?.q ?? []));
    // A few roundings of float32.
    t.ok(Math.abs(length - Math.min(size, 1)) < 1e-6, `norm ${size}: ${length}`);
  }
  await backend.dispose();
});
