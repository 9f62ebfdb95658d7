// Group, layer, instance, ghost, frozen and renormalized batch norm, and weight standardization, against
// PyTorch; batch renormalization against the paper's formulas.

import { readFileSync } from "node:fs";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import { createWasmBackend } from "@fewnorm/backend-wasm";
import {
  type BatchRenormOptions,
  batchRenorm,
  frozenNorm,
  ghostBatchNorm,
  groupNorm,
  instanceNorm,
  layerNorm,
  type Norm,
  weightStandardization,
} from "@fewnorm/norm";
import test from "tape";
import { type BlockSpec, compileBlock, deviation } from "./block.ts";

interface Case {
  readonly shape: "maps" | "dense";
  readonly norm: string;
  readonly options?: BatchRenormOptions;
  readonly steps?: number;
  readonly y: number[];
  readonly evaluation: number[];
  readonly gradients: Record<string, number[]>;
  readonly updated: Record<string, number[]>;
}

const fixture = JSON.parse(
  readFileSync(new URL("../../test/fixtures/rivals.json", import.meta.url), "utf8"),
) as {
  readonly shapes: Record<string, Record<string, number[]>>;
  readonly cases: Record<string, Case>;
  readonly ws: Pick<Case, "y" | "gradients"> & {
    readonly inputs: Record<string, { shape: number[]; values: number[] }>;
  };
};

const norms: Record<string, (options: BatchRenormOptions) => Norm> = {
  "gn:2": () => groupNorm({ groups: 2 }),
  ln: () => layerNorm(),
  "ln:pixel": () => layerNorm({ over: "pixel" }),
  in: () => instanceNorm({ affine: true }),
  "in:plain": () => instanceNorm(),
  "in:tracked": () => instanceNorm({ affine: true, trackRunningStats: true }),
  "ghost:2": () => ghostBatchNorm({ virtualBatchSize: 2 }),
  "ghost:3": () => ghostBatchNorm({ virtualBatchSize: 3 }),
  // γ and β are trained here, to see their gradients.
  frozen: () => frozenNorm({ trainAffine: true }),
  brn: (options) => batchRenorm(options),
};

const backends = {
  // The fixture has 14 digits; sums are of a hundred terms at most.
  "reference float64": {
    create: () => createReferenceBackend({ precision: "float64" }),
    tolerance: 1e-12,
  },
  // Float32 rounding, 6e-8, in sums of up to a hundred terms of size 1 to 10.
  "wasm, 1 thread": { create: () => createWasmBackend({ threads: 1 }), tolerance: 2e-5 },
  "wasm, 2 threads": { create: () => createWasmBackend({ threads: 2 }), tolerance: 2e-5 },
};

for (const [engine, { create, tolerance }] of Object.entries(backends)) {
  test(`rivals agree with PyTorch on ${engine}`, async (t) => {
    const backend = await create();
    for (const [name, { norm, options = {}, steps, ...expected }] of Object.entries(
      fixture.cases,
    )) {
      const { shape = [], ...inputs } = fixture.shapes[expected.shape] ?? {};
      const spec: BlockSpec = {
        kind: "layer",
        x: shape,
        y: shape,
        relu: true,
        residual: "residual" in inputs,
      };
      const made = norms[norm]?.(options);
      if (made === undefined) throw new Error(`there is no norm ${norm}`);
      const operands = { ...inputs, ...(steps === undefined ? {} : { steps: [steps] }) };
      const trained = await (await compileBlock(backend, made, spec))(operands);
      const evaluation = await compileBlock(backend, made, { ...spec, evaluate: true });
      const evaluated = await evaluation(operands);
      const check = (what: string, values: ArrayLike<number> | undefined, truth: number[]) => {
        const off = deviation(values ?? [], truth);
        t.ok(off < tolerance, `${name}: ${what} is off by ${off}`);
      };
      check("y", trained.y, expected.y);
      check("evaluation", evaluated.y, expected.evaluation);
      for (const [what, truth] of Object.entries(expected.gradients)) {
        check(`gradient of ${what}`, trained[`grad:${what}`], truth);
      }
      for (const [what, truth] of Object.entries(expected.updated)) {
        check(`updated ${what}`, trained[what], truth);
      }
      if (trained.steps) t.equal(trained.steps[0], (steps ?? 0) + 1, `${name}: steps are counted`);
    }
    await backend.dispose();
    t.end();
  });

  test(`weight standardization agrees with its formulas on ${engine}`, async (t) => {
    const backend = await create();
    const { inputs, y, gradients } = fixture.ws;
    const shapeOf = (name: string) => inputs[name]?.shape ?? [];
    const spec: BlockSpec = { kind: "conv2d", x: shapeOf("x"), y: shapeOf("probe"), relu: true };
    const operands = Object.fromEntries(
      Object.entries(inputs).map(([name, { values }]) => [name, values]),
    );
    const norm = weightStandardization(groupNorm({ groups: 2 }));
    for (const evaluate of [false, true]) {
      const results = await (await compileBlock(backend, norm, { ...spec, evaluate }))(operands);
      const all = { y, ...(evaluate ? {} : gradients) };
      for (const [what, truth] of Object.entries(all)) {
        const off = deviation(results[what === "y" ? what : `grad:${what}`] ?? [], truth);
        t.ok(off < tolerance, `${what} is off by ${off}`);
      }
    }
    await backend.dispose();
    t.end();
  });
}
