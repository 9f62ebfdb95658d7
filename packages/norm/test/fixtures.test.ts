// Agreement with PyTorch: the sampled norm's second implementation, and BatchNorm1d/2d.

import { readFileSync } from "node:fs";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import { batchNorm, type GradientMode } from "@fewnorm/norm";
import { mixture } from "@fewnorm/sampling";
import test from "tape";
import { type BlockSpec, compileBlock, deviation, fixedBlock } from "./block.ts";

function load<T>(file: string): T {
  const url = new URL(`../../test/fixtures/${file}`, import.meta.url);
  return JSON.parse(readFileSync(url, "utf8")) as T;
}

interface Array4 {
  readonly shape: number[];
  readonly values: number[];
}

interface FixtureBlock {
  readonly rows: number[];
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
  readonly weight: number;
}

interface SampledCase {
  readonly stride: number;
  readonly outputShape: number[];
  readonly blocks: FixtureBlock[];
  readonly updatedMean: number[];
  readonly updatedVar: number[];
  readonly y: number[];
  readonly residualGradient: number[];
  readonly gradients: Record<string, Record<"x" | "W" | "gamma" | "beta", number[]>>;
}

const sampled = load<{ inputs: Record<string, Array4>; cases: Record<string, SampledCase> }>(
  "sampled.json",
);

/** Rows 3 and 4 are the virtual ones in the fixture; here virtual rows come first. */
const rotation = [3, 4, 0, 1, 2];

function rotateRows(values: readonly number[], order: readonly number[]): number[] {
  const size = values.length / order.length;
  return order.flatMap((row) => values.slice(row * size, (row + 1) * size));
}

function unrotateRows(values: ArrayLike<number>): number[] {
  const inverse = rotation.map((_, row) => rotation.indexOf(row));
  return rotateRows(Array.from(values), inverse);
}

for (const [name, fixture] of Object.entries(sampled.cases)) {
  const virtual = /virtual|mixed/.test(name);
  for (const [mode, gradients] of Object.entries(fixture.gradients)) {
    for (const folded of [true, false]) {
      test(`${name}@${mode}, ${folded ? "folded" : "unfolded"}: agrees with PyTorch`, async (t) => {
        const { inputs } = sampled;
        const operand = (key: string) => inputs[key]?.values ?? [];
        const order = virtual ? rotation : [0, 1, 2, 3, 4];
        const parts = fixture.blocks.map((block) => {
          const isVirtual = virtual && block.rows[0] === 3 && block.rows.length === 2;
          const { rows, weight, ...window } = block;
          const row = isVirtual ? 0 : (rows[0] as number);
          return {
            strategy: fixedBlock({ ...window, row, rows: rows.length }, isVirtual ? 2 : 0),
            weight,
          };
        });
        const norm = batchNorm({
          sampling: mixture(parts),
          gradient: mode as GradientMode,
          folded,
        });
        const spec: BlockSpec = {
          kind: "conv2d",
          x: inputs.x?.shape ?? [],
          y: fixture.outputShape,
          stride: fixture.stride,
          residual: true,
          relu: true,
        };
        const backend = createReferenceBackend({ precision: "float64" });
        const run = await compileBlock(backend, norm, spec);
        const results = await run({
          x: rotateRows(operand("x"), order),
          weight: operand("W"),
          gamma: operand("gamma"),
          beta: operand("beta"),
          runningMean: operand("runningMean"),
          runningVar: operand("runningVar"),
          residual: rotateRows(operand(`residual.${fixture.stride}`), order),
          probe: rotateRows(operand(`outputGradient.${fixture.stride}`), order),
        });
        const rowsBack = (values: ArrayLike<number> | undefined) =>
          virtual ? unrotateRows(values ?? []) : (values ?? []);
        const pairs: [string, ArrayLike<number>, number[]][] = [
          ["y", rowsBack(results.y), fixture.y],
          ["residual", rowsBack(results["grad:residual"]), fixture.residualGradient],
          ["x", rowsBack(results["grad:x"]), gradients.x],
          ["weight", results["grad:weight"] ?? [], gradients.W],
          ["gamma", results["grad:gamma"] ?? [], gradients.gamma],
          ["beta", results["grad:beta"] ?? [], gradients.beta],
          ["running_mean", results.runningMean ?? [], fixture.updatedMean],
          ["running_var", results.runningVar ?? [], fixture.updatedVar],
        ];
        for (const [what, values, expected] of pairs) {
          // The fixture has 14 digits.
          const off = deviation(values, expected);
          t.ok(off < 1e-12, `${what}: ${off}`);
        }
        await backend.dispose();
        t.end();
      });
    }
  }
}

interface BatchNormCase {
  readonly shape: number[];
  readonly [name: string]: number[] | Record<string, number>;
}

const { cases } = load<{ cases: Record<string, BatchNormCase> }>("batch-norm.json");

for (const [name, fixture] of Object.entries(cases)) {
  for (const precision of ["float64", "float32"] as const) {
    test(`BatchNorm ${name}, ${precision}: agrees with PyTorch`, async (t) => {
      const backend = createReferenceBackend({ precision });
      const spec = { kind: "layer", x: fixture.shape, y: fixture.shape } as const;
      const of = (key: string) => fixture[key] as number[];
      const operands = {
        x: of("input"),
        gamma: of("weight"),
        beta: of("bias"),
        runningMean: of("runningMean"),
        runningVar: of("runningVar"),
        probe: of("outputGradient"),
      };
      const train = await compileBlock(backend, batchNorm(), spec);
      const evaluate = await compileBlock(backend, batchNorm(), { ...spec, evaluate: true });
      const trained = await train(operands);
      const evaluated = await evaluate(operands);
      const pairs: [string, ArrayLike<number> | undefined][] = [
        ["output", trained.y],
        ["updatedMean", trained.runningMean],
        ["updatedVar", trained.runningVar],
        ["inputGradient", trained["grad:x"]],
        ["weightGradient", trained["grad:gamma"]],
        ["biasGradient", trained["grad:beta"]],
        ["evaluation", evaluated.y],
      ];
      const theirs = fixture.float32 as unknown as Record<string, number>;
      for (const [what, values] of pairs) {
        const off = deviation(values ?? [], of(what));
        // In float32: eight times PyTorch's own distance from float64 (its sums are ordered
        // otherwise), and what rounding costs at the least. The fixture has 12 digits.
        const allowed = precision === "float64" ? 1e-11 : Math.max(1e-5, 8 * (theirs[what] ?? 0));
        t.ok(off < allowed, `${what}: ${off}, allowed ${allowed}`);
      }
      await backend.dispose();
      t.end();
    });
  }
}
