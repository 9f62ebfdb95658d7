// The rivals behind convolutions and dense layers, with residual and ReLU: central differences, and
// agreement with the layer on its own.

import { createReferenceBackend } from "@fewnorm/backend-reference";
import { createWasmBackend } from "@fewnorm/backend-wasm";
import {
  batchNorm,
  batchRenorm,
  frozenNorm,
  ghostBatchNorm,
  groupNorm,
  instanceNorm,
  layerNorm,
  type Norm,
  noNorm,
  weightStandardization,
} from "@fewnorm/norm";
import { batchSampling } from "@fewnorm/sampling-batch";
import { key } from "@fewnorm/tensor";
import test from "tape";
import { type BlockSpec, behind, compileBlock, deviation, randomOperands } from "./block.ts";
import { directional } from "./directional.ts";

const ghost = ghostBatchNorm({ virtualBatchSize: 2 });
const norms: Norm[] = [
  groupNorm({ groups: 2 }),
  groupNorm({ groups: 2, affine: false }),
  layerNorm(),
  layerNorm({ over: "pixel" }),
  instanceNorm({ affine: true }),
  instanceNorm({ trackRunningStats: true }),
  ghost,
  frozenNorm(),
  frozenNorm({ trainAffine: true }),
  weightStandardization(noNorm()),
  weightStandardization(groupNorm({ groups: 2 })),
  weightStandardization(batchNorm({ sampling: batchSampling({ images: 2 }) })),
];

const conv = { kind: "conv2d", x: [4, 3, 6, 7] } as const;
const specs: Record<string, BlockSpec> = {
  "3×3": { ...conv, y: [4, 4, 6, 7] },
  "stride 2, residual, ReLU": { ...conv, y: [4, 4, 3, 4], stride: 2, residual: true, relu: true },
  "stride 2, bias, ReLU": { ...conv, y: [4, 4, 3, 4], stride: 2, bias: true, relu: true },
  dense: { kind: "dense", x: [4, 6], y: [4, 4], residual: true },
  "dense, ReLU": { kind: "dense", x: [4, 6], y: [4, 4], relu: true },
  layer: { kind: "layer", x: [4, 4, 3, 2], y: [4, 4, 3, 2], residual: true, relu: true },
};

for (const norm of norms) {
  test(`${norm.name}: gradients are the loss's slopes`, async (t) => {
    const backend = createReferenceBackend({ precision: "float64" });
    for (const [form, spec] of Object.entries(specs)) {
      if (spec.kind === "dense" && /^in/.test(norm.name)) continue;
      const run = await compileBlock(backend, norm, spec, key(3));
      const { loss: _, ...results } = await run(randomOperands(spec, key(7)));
      const wanted = Object.keys(results).filter((name) => name.startsWith("grad:"));
      for (const operand of wanted.map((name) => name.slice(5))) {
        const { measured, derived } = await directional(spec, run, operand, 21);
        // Rounding 2^-53·|loss|/h ≈ 1e-9 and truncation h² leave 1e-6 of the size.
        const off = Math.abs(measured - derived) / Math.max(1, Math.abs(derived));
        t.ok(off < 1e-6, `${form}, ${operand}: ${measured} and ${derived}`);
      }
    }
    await backend.dispose();
    t.end();
  });
}

const renorm = batchRenorm({ warmUp: 0, rMax: 1.2, dMax: 0.3 });
for (const norm of [...norms.filter(({ name }) => !name.startsWith("ws")), renorm]) {
  test(`${norm.name}: behind a layer it computes what it does on its own`, async (t) => {
    const backend = createReferenceBackend({ precision: "float64" });
    for (const evaluate of [false, true]) {
      for (const [form, { kind, ...spec }] of Object.entries(specs)) {
        if (kind === "layer" || (kind === "dense" && /^in/.test(norm.name))) continue;
        const both = [norm, behind(norm)].map(async (one) => {
          const run = await compileBlock(backend, one, { kind, ...spec, evaluate });
          return run(randomOperands({ kind, ...spec }, key(5)));
        });
        const [found, expected] = await Promise.all(both);
        for (const [what, values] of Object.entries(expected ?? {})) {
          // 1e-12: float64 rounding of sums of a few hundred terms.
          const off = deviation(found?.[what] ?? [], values);
          t.ok(off < 1e-12, `${form}${evaluate ? ", evaluation" : ""}, ${what}: ${off}`);
        }
      }
    }
    await backend.dispose();
    t.end();
  });
}

test("a ghost batch as large as the batch is batch normalization", async (t) => {
  const backend = createReferenceBackend({ precision: "float64" });
  const spec = specs["stride 2, residual, ReLU"] as BlockSpec;
  const [one, other] = await Promise.all(
    [ghostBatchNorm({ virtualBatchSize: 4 }), batchNorm()].map(async (norm) =>
      (await compileBlock(backend, norm, spec))(randomOperands(spec, key(2))),
    ),
  );
  for (const [what, values] of Object.entries(other ?? {})) {
    // Rounding only.
    t.ok(deviation(one?.[what] ?? [], values) < 1e-13, what);
  }
  await backend.dispose();
  t.end();
});

test("for calibration a norm is that of the whole batch, with its own epsilon", async (t) => {
  const backend = createReferenceBackend({ precision: "float64" });
  const epsilon = 0.5;
  const whole = batchNorm({ epsilon, momentum: 1 });
  const filters = { epsilon: 0.25 };
  const cases: [Norm, Norm][] = [
    [batchNorm({ epsilon }), whole],
    [batchNorm({ epsilon, sampling: batchSampling({ images: 2 }), gradient: "detached" }), whole],
    [ghostBatchNorm({ epsilon, virtualBatchSize: 2 }), whole],
    [batchRenorm({ epsilon }), whole],
    [
      instanceNorm({ epsilon, affine: true, trackRunningStats: true }),
      instanceNorm({ epsilon, affine: true, trackRunningStats: true, momentum: 1 }),
    ],
    [
      weightStandardization(ghostBatchNorm({ epsilon, virtualBatchSize: 2 }), filters),
      weightStandardization(whole, filters),
    ],
  ];
  const spec = specs["3×3"] as BlockSpec;
  for (const [norm, expected] of cases) {
    const [found, wanted] = await Promise.all(
      [norm.calibration?.() as Norm, expected].map(async (one) =>
        (await compileBlock(backend, one, spec))(randomOperands(spec, key(6))),
      ),
    );
    for (const what of ["y", "runningMean"]) {
      // Rounding only.
      const off = deviation(found?.[what] ?? [], wanted?.[what] ?? [Number.NaN]);
      t.ok(off < 1e-13, `${norm.name}, ${what}: ${off}`);
    }
  }
  await backend.dispose();
  t.end();
});

test("a mean far larger than the deviation does not spoil the variance", async (t) => {
  const spec: BlockSpec = { kind: "layer", x: [2, 4, 8, 8], y: [2, 4, 8, 8] };
  const operands = randomOperands(spec, key(4));
  const far = { ...operands, x: (operands.x as Float64Array).map((x) => Math.fround(x + 1000)) };
  const results = await Promise.all(
    (["float64", "float32"] as const).map(async (precision) => {
      const backend = createReferenceBackend({ precision });
      const run = await compileBlock(backend, groupNorm({ groups: 2 }), spec);
      const { y = [] } = await run(far);
      await backend.dispose();
      return y;
    }),
  );
  // Float32 holds a number near 1000 to 6e-5; the mean of 128 such numbers is off by a few of those.
  const off = deviation(results[1] ?? [], Array.from(results[0] ?? []));
  t.ok(off < 1e-3, `off by ${off}`);
  t.end();
});

test("wasm divides large layers between threads as the reference computes them", async (t) => {
  const spec: BlockSpec = {
    kind: "conv2d",
    x: [8, 8, 12, 12],
    y: [8, 16, 12, 12],
    residual: true,
    relu: true,
  };
  const operands = randomOperands(spec, key(8));
  const large = [
    ...[groupNorm({ groups: 4 }), layerNorm({ over: "pixel" }), instanceNorm({ affine: true })],
    ...[ghostBatchNorm({ virtualBatchSize: 2 }), frozenNorm(), batchRenorm({ warmUp: 0 })],
    weightStandardization(groupNorm({ groups: 16 })),
  ];
  for (const norm of large) {
    const results = await Promise.all(
      [
        createReferenceBackend({ precision: "float64" }),
        createWasmBackend({ threads: 1 }),
        createWasmBackend({ threads: 2 }),
      ].map(async (made) => {
        const backend = await made;
        const found = await (await compileBlock(backend, norm, spec))(operands);
        await backend.dispose();
        return found;
      }),
    );
    const [exact = {}, ...others] = results;
    others.forEach((found, i) => {
      for (const [what, values] of Object.entries(exact)) {
        // Of a few hundred thousand elements some lie so near to ReLU's corner that rounding decides.
        const off = distance(found[what] ?? [], values);
        t.ok(off < 1e-3, `${norm.name}, ${i + 1} threads, ${what}: ${off}`);
      }
    });
  }
  t.end();
});

/** ‖a − b‖/‖b‖. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [difference, size] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    difference += ((a[i] ?? Number.NaN) - (b[i] as number)) ** 2;
    size += (b[i] as number) ** 2;
  }
  return Math.sqrt(difference / Math.max(size, Number.MIN_VALUE));
}

test("bounds that are never reached leave batch renormalization the running statistics, in float32", async (t) => {
  const backend = createReferenceBackend({ precision: "float32" });
  const spec = specs.layer as BlockSpec;
  for (const bound of [1e3, 1e8, 1e30]) {
    const norm = batchRenorm({ warmUp: 0, rMax: bound, dMax: bound });
    const [trained, evaluated] = await Promise.all(
      [false, true].map(async (evaluate) => {
        const one = { ...spec, evaluate };
        return (await compileBlock(backend, norm, one))(randomOperands(one, key(4)));
      }),
    );
    // Some roundings of numbers of order 1.
    const off = deviation(trained?.y ?? [], evaluated?.y ?? []);
    t.ok((evaluated?.y?.length ?? 0) > 0 && off < 1e-5, `${bound}: ${off}`);
  }
  await backend.dispose();
  t.end();
});

test("bounds that are reached where they begin are there at once, and not before", async (t) => {
  const backend = createReferenceBackend({ precision: "float64" });
  const spec = specs.layer as BlockSpec;
  const bounds = { rMax: 1.2, dMax: 0.3 };
  const operands = randomOperands(spec, key(6));
  const run = async (norm: Norm, steps: number) =>
    (await compileBlock(backend, norm, spec))({ ...operands, steps: [steps] });
  const before = (await run(batchNorm(), 0)).y ?? [];
  const after = (await run(batchRenorm({ ...bounds, warmUp: 0 }), 0)).y ?? [];
  t.ok(deviation(before, after) > 0.1, "they differ");
  for (const warmUp of [1, 3]) {
    const norm = batchRenorm({ ...bounds, warmUp, rSteps: warmUp, dSteps: warmUp });
    for (const steps of [0, warmUp - 1, warmUp, warmUp + 1, 9]) {
      const off = deviation((await run(norm, steps)).y ?? [], steps < warmUp ? before : after);
      // Rounding of float64.
      t.ok(off < 1e-12, `step ${steps}, warm-up of ${warmUp}: ${off}`);
    }
  }
  await backend.dispose();
  t.end();
});

test("without a normalization there still is what a layer ends in", async (t) => {
  const backend = createReferenceBackend({ precision: "float64" });
  for (const [form, { kind, x, y, stride }] of Object.entries(specs)) {
    const spec = { kind, x, y, ...(stride === undefined ? {} : { stride }) };
    const operands = randomOperands({ ...spec, residual: true }, key(8));
    const run = async (ending: object) =>
      Array.from(
        (await (await compileBlock(backend, noNorm(), { ...spec, ...ending }))(operands)).y ?? [],
      );
    const plain = await run({});
    const sums = plain.map((value, i) => value + (operands.residual?.[i] ?? 0));
    const rectified = (values: readonly number[]) => values.map((value) => Math.max(value, 0));
    if (kind === "layer") t.deepEqual(plain, [...(operands.x ?? [])], form);
    t.ok(deviation(await run({ relu: true }), rectified(plain)) < 1e-14, `${form}, ReLU`);
    t.ok(deviation(await run({ residual: true }), sums) < 1e-14, `${form}, residual`);
    const both = await run({ residual: true, relu: true });
    t.ok(deviation(both, rectified(sums)) < 1e-14, `${form}, both`);
  }
  await backend.dispose();
  t.end();
});
