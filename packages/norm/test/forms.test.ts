// The folded form, the layer of its own, and finite differences agree.

import { createReferenceBackend } from "@fewnorm/backend-reference";
import { batchNorm, type GradientMode } from "@fewnorm/norm";
import { fullBatch, mixture, type Sampling, type Strategy } from "@fewnorm/sampling";
import { batchSampling, naiveSampling } from "@fewnorm/sampling-batch";
import { featureSampling } from "@fewnorm/sampling-feature";
import { virtualDataset } from "@fewnorm/sampling-virtual";
import { key, randomInteger } from "@fewnorm/tensor";
import test from "tape";
import {
  type BlockSpec,
  behind,
  compileBlock,
  deviation,
  randomOperands,
  traceBlock,
} from "./block.ts";
import { directional } from "./directional.ts";

/** Two of three virtual images. */
const twoOfThree: Strategy = {
  ...virtualDataset({ images: 3 }),
  name: "two-of-three",
  extent: (maps) => ({ ...maps, rows: 2 }),
  origin: (_extent, { rows }, key) => ({ row: randomInteger(key, rows), top: 0, left: 0 }),
};

const samplings: Record<string, Sampling> = {
  bn: fullBatch(),
  "bs:2": batchSampling({ images: 2 }),
  "ns:2": naiveSampling({ images: 2 }),
  "fs:2x3": featureSampling({ height: 2, width: 3 }),
  "vdn:2": virtualDataset({ images: 2 }),
  "vdn:2+bs:2": mixture([
    { strategy: virtualDataset({ images: 2 }) },
    { strategy: batchSampling({ images: 2 }) },
  ]),
  "vdn:1*3+fs:2x2*1": mixture([
    { strategy: virtualDataset({ images: 1 }), weight: 3 },
    { strategy: featureSampling({ height: 2, width: 2 }), weight: 1 },
  ]),
  "bs:2+ns:3": mixture([
    { strategy: batchSampling({ images: 2 }) },
    { strategy: naiveSampling({ images: 3 }) },
  ]),
  "two-of-three+bs:2": mixture([
    { strategy: twoOfThree },
    { strategy: batchSampling({ images: 2 }) },
  ]),
};

/** Blocks of 5 images and whatever virtual rows the sampling brings. */
function blocks(sampling: Sampling): Record<string, BlockSpec> {
  const n = 5 + (batchNorm({ sampling }).virtualImages?.count ?? 0);
  const conv = { kind: "conv2d", x: [n, 3, 6, 7] } as const;
  const specs: Record<string, BlockSpec> = {
    "3×3": { ...conv, y: [n, 4, 6, 7] },
    "3×3, stride 2, residual, ReLU": {
      ...conv,
      y: [n, 4, 3, 4],
      stride: 2,
      residual: true,
      relu: true,
    },
    "3×3, bias, residual, ReLU": {
      ...conv,
      y: [n, 4, 6, 7],
      bias: true,
      residual: true,
      relu: true,
    },
    "1×1, residual": { ...conv, y: [n, 4, 6, 7], kernel: 1, residual: true },
  };
  if (!/fs/.test(sampling.name)) {
    specs.dense = { kind: "dense", x: [n, 6], y: [n, 4], relu: true };
    specs["dense, residual"] = { kind: "dense", x: [n, 6], y: [n, 4], residual: true };
  }
  return specs;
}

const keys = [key(11), key(12), key(13)];

for (const [name, sampling] of Object.entries(samplings)) {
  for (const gradient of ["exact", "detached"] as const) {
    test(`${name}@${gradient}: folded equals unfolded`, async (t) => {
      const backend = createReferenceBackend({ precision: "float64" });
      const norms = [true, false].map((folded) => batchNorm({ sampling, gradient, folded }));
      for (const [block, spec] of Object.entries(blocks(sampling))) {
        for (const step of keys) {
          const operands = randomOperands(spec, key(5));
          const [folded, unfolded] = await Promise.all(
            norms.map(async (norm) => (await compileBlock(backend, norm, spec, step))(operands)),
          );
          for (const [result, values] of Object.entries(unfolded ?? {})) {
            // 1e-12: float64 rounding of sums of a few hundred terms, far above 2^-53 · 300.
            const off = deviation(folded?.[result] ?? [], values);
            t.ok(off < 1e-12, `${block}, ${result}: ${off}`);
          }
        }
      }
      await backend.dispose();
      t.end();
    });
  }
}

for (const [name, sampling] of Object.entries(samplings)) {
  for (const folded of [true, false]) {
    test(`${name}@exact, ${folded ? "folded" : "a layer"}: central differences`, async (t) => {
      const backend = createReferenceBackend({ precision: "float64" });
      const norm = batchNorm({ sampling, folded });
      const specs = blocks(sampling);
      const n = specs["3×3"]?.x[0] ?? 1;
      specs.alone = { kind: "layer", x: [n, 3, 4, 5], y: [n, 3, 4, 5], relu: true };
      for (const [block, spec] of Object.entries(specs)) {
        const run = await compileBlock(backend, norm, spec, key(3));
        const operands = Object.keys(randomOperands(spec, key(7)));
        for (const operand of operands.filter((o) => !/running|probe/.test(o))) {
          const { measured, derived } = await directional(spec, run, operand, 21);
          // Rounding 2^-53·|loss|/h ≈ 1e-9 and truncation h² leave 1e-6 of the size.
          const off = Math.abs(measured - derived) / Math.max(1, Math.abs(derived));
          t.ok(off < 1e-6, `${block}, ${operand}: ${measured} and ${derived}`);
        }
      }
      await backend.dispose();
      t.end();
    });
  }
}

for (const [name, sampling] of Object.entries(samplings)) {
  test(`${name}: a convolution's bias is as if the norm stood behind it`, async (t) => {
    const backend = createReferenceBackend({ precision: "float64" });
    const block = blocks(sampling)["3×3, bias, residual, ReLU"] as BlockSpec;
    const real = { x: [5, 3, 6, 7], y: [5, 4, 6, 7] } as const;
    for (const gradient of ["exact", "detached", "sampled", "sampled-all"] as const) {
      if (gradient === "sampled-all" && name === "vdn:2") continue; // which is refused
      const norm = batchNorm({ sampling, gradient });
      for (const spec of [block, { ...block, ...real, evaluate: true }]) {
        const operands = randomOperands(spec, key(5));
        const [found, expected] = await Promise.all(
          [norm, behind(norm)].map(async (one) =>
            (await compileBlock(backend, one, spec))(operands),
          ),
        );
        t.ok(expected && "grad:linearBias" in expected, "the bias is a parameter");
        for (const [result, values] of Object.entries(expected ?? {})) {
          // As above: rounding of sums of a few hundred terms.
          const off = deviation(found?.[result] ?? [], values);
          t.ok(off < 1e-12, `${gradient}${spec.evaluate ? ", evaluation" : ""}, ${result}: ${off}`);
        }
        if (gradient === "exact" && !spec.evaluate) {
          const slopes = Array.from(found?.["grad:linearBias"] ?? []);
          t.deepEqual(slopes, [0, 0, 0, 0], "an exact gradient leaves the bias alone");
        }
      }
    }
    await backend.dispose();
    t.end();
  });
}

test("sampled and sampled-all keep the forward pass, folded or not", async (t) => {
  const backend = createReferenceBackend({ precision: "float64" });
  const spec: BlockSpec = {
    kind: "conv2d",
    x: [5, 3, 6, 7],
    y: [5, 4, 6, 7],
    residual: true,
    relu: true,
  };
  const operands = randomOperands(spec, key(5));
  const sampling = batchSampling({ images: 2 });
  const results = await Promise.all(
    (["exact", "sampled", "sampled-all", "detached"] satisfies GradientMode[]).map(
      async (gradient) =>
        (await compileBlock(backend, batchNorm({ sampling, gradient }), spec))(operands),
    ),
  );
  for (const result of results.slice(1)) {
    for (const name of ["y", "loss", "runningMean", "runningVar", "grad:residual"]) {
      t.ok(deviation(result[name] ?? [], results[0]?.[name] ?? []) < 1e-12, name);
    }
  }
  await backend.dispose();
  t.end();
});

test("what is folded by itself: results that outweigh the weights and the windows", (t) => {
  // 3×3 weights from 3 to 4 channels are 108; a map of 3×4 has 48 results for each image.
  const cases: [Sampling, number, boolean][] = [
    [batchSampling({ images: 2 }), 8, false],
    [batchSampling({ images: 2 }), 9, true],
    [featureSampling({ height: 2, width: 3 }), 57, false],
    [featureSampling({ height: 2, width: 3 }), 58, true],
  ];
  for (const [sampling, images, expected] of cases) {
    const spec: BlockSpec = { kind: "conv2d", x: [images, 3, 3, 4], y: [images, 4, 3, 4] };
    const [auto, forced] = [batchNorm({ sampling }), batchNorm({ sampling, folded: expected })].map(
      (norm) => traceBlock(norm, spec).graph.nodes,
    );
    t.deepEqual(auto, forced, `${sampling.name} of ${images} images: ${expected}`);
  }
  const spec: BlockSpec = { kind: "conv2d", x: [58, 3, 3, 4], y: [58, 4, 3, 4] };
  const sampling = featureSampling({ height: 2, width: 3 });
  const [yes, no] = [true, false].map(
    (folded) => traceBlock(batchNorm({ sampling, folded }), spec).graph.nodes,
  );
  t.notDeepEqual(yes, no, "the forms differ");
  t.end();
});

test("folded, no image is convolved twice that need not be", (t) => {
  const window: Strategy = {
    ...virtualDataset({ images: 2 }),
    name: "window of two",
    extent: () => ({ rows: 2, height: 2, width: 2 }),
  };
  const all = mixture(
    [fullBatch(), batchSampling({ images: 2 }), virtualDataset({ images: 2 })].map((strategy) => ({
      strategy,
    })),
  );
  const part = mixture([{ strategy: window }, { strategy: batchSampling({ images: 2 }) }]);
  /** Of 5 images and the virtual ones: those of each block, then the rest. */
  const convolved: [Sampling | undefined, number[]][] = [
    [samplings.bn, [5]],
    [samplings["bs:2"], [2, 3]],
    [samplings["ns:2"], [2, 3]],
    [samplings["vdn:2"], [2, 5]],
    [samplings["vdn:2+bs:2"], [2, 2, 3]],
    // Windows are convolved beside all images.
    [samplings["fs:2x3"], [5, 5]],
    [window, [2, 7]],
    // Only one part's real images can go without the others, and virtual ones only all together.
    [samplings["bs:2+ns:3"], [2, 3, 3]],
    [samplings["two-of-three+bs:2"], [2, 2, 8]],
    [part, [2, 2, 7]],
    [all, [5, 2, 2, 3]],
  ];
  for (const [sampling, expected] of convolved) {
    const spec = blocks(sampling as Sampling)["3×3"] as BlockSpec;
    const norm = batchNorm({ sampling: sampling as Sampling, folded: true });
    const { nodes } = traceBlock(norm, spec).graph;
    const found = nodes.flatMap(({ op, shape }) => (op === "conv2d" ? [shape[0] ?? 0] : []));
    t.deepEqual(found, expected, norm.name);
  }
  t.end();
});
