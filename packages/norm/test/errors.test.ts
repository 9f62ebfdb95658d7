// What cannot work is refused when the model is traced, with the layer's name and the sizes.

import { createScope } from "@fewnorm/nn";
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
import { mixture } from "@fewnorm/sampling";
import { batchSampling } from "@fewnorm/sampling-batch";
import { featureSampling } from "@fewnorm/sampling-feature";
import { virtualDataset } from "@fewnorm/sampling-virtual";
import { createBuilder, foldIn, key, type Shape, type Tensor } from "@fewnorm/tensor";
import test from "tape";

function trace(norm: Norm, shape: Shape, virtualRows = 0) {
  const builder = createBuilder();
  const { scope, declarations } = createScope(builder, "train", virtualRows);
  norm.layer(scope.at("layer1.0"), "bn1", builder.input("x", shape));
  return declarations;
}

test("sizes that cannot work name the layer and the sizes", (t) => {
  const cases: [Norm, Shape, RegExp][] = [
    [batchNorm(), [1, 8, 1, 1], /norm: layer "layer1\.0\.bn1".*1 value/],
    [batchNorm(), [1, 8], /layer "layer1\.0\.bn1".*1 value/],
    [
      batchNorm({ sampling: batchSampling({ images: 200 }) }),
      [128, 8, 4, 4],
      /layer "layer1\.0\.bn1".*200.*128/,
    ],
    [
      batchNorm({ sampling: featureSampling({ height: 40, width: 40 }) }),
      [128, 8, 32, 32],
      /layer "layer1\.0\.bn1".*40.*32/,
    ],
    [batchNorm({ sampling: batchSampling({ images: 1 }) }), [4, 8], /layer "layer1\.0\.bn1".*bs:2/],
  ];
  for (const [norm, shape, message] of cases) {
    t.throws(() => trace(norm, shape), message, `${norm.name} on [${shape}]`);
  }
  t.end();
});

test("dense layers whose sizes do not fit are named, with every norm", (t) => {
  for (const norm of [noNorm(), batchNorm(), groupNorm({ groups: 1 })]) {
    const builder = createBuilder();
    const { scope } = createScope(builder, "train");
    const x = builder.input("x", [2, 3]);
    const layer = (from: Tensor, options: { units: number; residual?: Tensor }) => () =>
      norm.dense(scope.at("head"), { linear: "fc", norm: "bn" }, from, options);
    const maps = builder.input("maps", [2, 3, 4, 4]);
    t.throws(layer(maps, { units: 5 }), /dense: layer "head\.fc": the input is \[2, 3, 4, 4\]/);
    t.throws(
      layer(x, { units: 0 }),
      /dense: layer "head\.fc", weight \[units, inputs\]: shape \[0, 3\]/,
    );
    t.throws(
      layer(x, { units: 5, residual: x }),
      /"head\.fc": the residual is \[2, 3\]; .*\[2, 5\]/,
    );
  }
  t.end();
});

test("virtual rows must be there, and only where they are needed", (t) => {
  const vdn = batchNorm({ sampling: virtualDataset({ images: 4 }) });
  t.throws(() => trace(vdn, [12, 8, 4, 4], 0), /needs 4 virtual rows.*has 0/);
  t.throws(() => trace(batchNorm(), [12, 8, 4, 4], 4), /needs 0 virtual rows.*has 4/);
  t.doesNotThrow(() => trace(vdn, [12, 8, 4, 4], 4));
  t.end();
});

test("what is no strategy is refused when the norm is made, not when a model is traced", (t) => {
  const strategy = batchSampling({ images: 4 });
  const { origin: _, ...without } = strategy;
  const refused: [unknown, RegExp][] = [
    [() => strategy, /TypeError: batchNorm: sampling is a function; give a strategy/],
    [without, /TypeError: batchNorm: bs:4: origin is undefined; a strategy has a function origin/],
    [{ ...strategy, virtualRows: undefined }, /batchNorm: bs:4: virtualRows is undefined; give/],
    [{ name: "two", parts: [{ strategy: {} }] }, /batchNorm: a strategy's name is undefined/],
  ];
  for (const [sampling, message] of refused) {
    t.throws(() => batchNorm({ sampling: sampling as typeof strategy }), message);
  }
  t.end();
});

test("each part of a mixture draws virtual images of its own, one part after another", (t) => {
  const [two, three] = [virtualDataset({ images: 2 }), virtualDataset({ images: 3 })];
  const sampling = mixture(
    [two, two, batchSampling({ images: 2 }), three].map((strategy) => ({ strategy })),
  );
  const { virtualImages } = batchNorm({ sampling });
  t.equal(virtualImages?.count, 7);
  const drawn = Array.from(virtualImages?.draw([7, 3, 4, 5], key(1)) ?? []);
  const images = Array.from({ length: 7 }, (_, i) => String(drawn.slice(60 * i, 60 * i + 60)));
  t.equal(new Set(images).size, 7, "no image comes twice");
  const map = { channels: 3, height: 4, width: 5 };
  const expected = [two, two, three].flatMap((strategy, i) =>
    Array.from(
      strategy.virtualInput?.({ rows: strategy.virtualRows, ...map }, foldIn(key(1), i)) ?? [],
    ),
  );
  t.deepEqual(drawn, expected);
  t.end();
});

test("virtual images of another size than asked for are refused", (t) => {
  const silent = { ...virtualDataset({ images: 2 }), virtualInput: () => undefined as never };
  t.throws(
    () => batchNorm({ sampling: silent }).virtualImages?.draw([2, 3, 8, 8], key(1)),
    /RangeError: batchNorm: vdn:2: virtualInput gave no values; .* takes 384/,
  );
  for (const values of [3, 385]) {
    const strategy = {
      ...virtualDataset({ images: 2 }),
      virtualInput: () => new Float32Array(values),
    };
    const { virtualImages } = batchNorm({ sampling: strategy });
    t.throws(
      () => virtualImages?.draw([2, 3, 8, 8], key(1)),
      new RegExp(`RangeError: batchNorm: vdn:2: virtualInput gave ${values} values; .* takes 384`),
    );
  }
  t.end();
});

test("options out of range", (t) => {
  t.throws(() => batchNorm({ epsilon: 0 }), /epsilon is 0/);
  t.throws(() => batchNorm({ momentum: 2 }), /momentum is 2/);
  t.throws(
    () => batchNorm({ gradient: "excat" as "exact" }),
    /gradient is "excat"; give one of "exact", "sampled"/,
  );
  t.throws(
    () => batchNorm({ sampling: virtualDataset({ images: 4 }), gradient: "sampled-all" }),
    /sampled-all needs real/,
  );
  const named = { sampling: "bs:4" } as object;
  t.throws(() => batchNorm(named), /TypeError: batchNorm: sampling is "bs:4"; give a strategy/);
  t.end();
});

test("names", (t) => {
  const sampling = batchSampling({ images: 4 });
  t.equal(batchNorm().name, "bn");
  t.equal(batchNorm({ sampling }).name, "bs:4");
  t.equal(batchNorm({ sampling, gradient: "sampled" }).name, "bs:4@sampled");
  t.equal(noNorm().name, "none");
  t.equal(weightStandardization(batchNorm({ sampling })).name, "ws+bs:4");
  t.equal(instanceNorm().name, "in:plain");
  t.equal(instanceNorm({ affine: true }).name, "in");
  t.end();
});

test("each norm declares the states that it says, by PyTorch's names", (t) => {
  const affine = ["weight", "bias"];
  const running = ["running_mean", "running_var"];
  const renormalized = ["running_mean", "running_std"];
  const growing = ["num_batches_tracked", ...renormalized];
  const cases: [Norm, parameters: readonly string[], buffers: readonly string[]][] = [
    [batchNorm(), affine, running],
    [ghostBatchNorm({ virtualBatchSize: 2 }), affine, running],
    [batchRenorm(), affine, growing],
    [batchRenorm({ warmUp: 0, rSteps: 5 }), affine, growing],
    [batchRenorm({ warmUp: 0, dSteps: 1 }), affine, growing],
    [batchRenorm({ warmUp: 0 }), affine, renormalized],
    [frozenNorm(), [], [...affine, ...running]],
    [frozenNorm({ trainAffine: true }), affine, running],
    [groupNorm({ groups: 2 }), affine, []],
    [layerNorm({ affine: false }), [], []],
    [instanceNorm(), [], []],
    [instanceNorm({ affine: true, trackRunningStats: true }), affine, running],
    [noNorm(), [], []],
  ];
  for (const [norm, parameters, buffers] of cases) {
    for (const mode of ["train", "evaluate"] as const) {
      const builder = createBuilder();
      const { scope, declarations } = createScope(builder, mode);
      norm.layer(scope, "bn", builder.input("x", [4, 8, 3, 3]));
      const of = (wanted: string) =>
        declarations.states.flatMap(({ name, kind }) => (kind === wanted ? [name] : [])).sort();
      const named = (names: readonly string[]) => names.map((name) => `bn.${name}`).sort();
      t.deepEqual(of("parameter"), named(parameters), `${norm.name}, ${mode}: parameters`);
      t.deepEqual(of("buffer"), named(buffers), `${norm.name}, ${mode}: buffers`);
    }
  }
  t.end();
});

test("each layer and each step has a draw of its own", (t) => {
  const builder = createBuilder();
  const { scope, declarations } = createScope(builder, "train");
  const norm = batchNorm({ sampling: batchSampling({ images: 4 }) });
  const x = builder.input("x", [128, 8, 4, 4]);
  for (const name of ["a", "b"]) norm.layer(scope, name, x);
  t.deepEqual(
    declarations.draws.map(({ name }) => name),
    ["a.origin", "b.origin"],
  );
  t.end();
});

test("the rivals name the layer that is too small, and what divides wrongly", (t) => {
  const cases: [Norm, Shape, RegExp][] = [
    [groupNorm({ groups: 8 }), [4, 12, 4, 4], /layer1\.0\.bn1" has 12 channels.*8 groups/],
    [groupNorm({ groups: 8 }), [4, 8], /"layer1\.0\.bn1".*\[4, 8\].*1 value.*fewer groups/],
    [layerNorm({ over: "pixel" }), [4, 1, 4, 4], /"layer1\.0\.bn1".*1 value/],
    [instanceNorm(), [4, 8, 1, 1], /"layer1\.0\.bn1".*maps of one pixel/],
    [ghostBatchNorm({ virtualBatchSize: 16 }), [100, 8, 4, 4], /batch of 100.*ghost batches of 16/],
    [ghostBatchNorm({ virtualBatchSize: 1 }), [4, 8], /"layer1\.0\.bn1".*larger ghost batches/],
    [batchRenorm(), [1, 8], /"layer1\.0\.bn1".*larger batch/],
  ];
  for (const [norm, shape, message] of cases) {
    t.throws(() => trace(norm, shape), message, `${norm.name} on [${shape}]`);
  }
  const builder = createBuilder();
  const { scope } = createScope(builder, "train");
  const x = builder.input("x", [2, 1, 4, 4]);
  const depthwise = { channels: 1, kernel: 1 };
  t.throws(
    () =>
      weightStandardization(noNorm()).conv2d(scope, { linear: "conv", norm: "bn" }, x, depthwise),
    /"conv".*leave out ws\+/,
  );
  t.end();
});

test("every norm wants an epsilon above 0, and a momentum from 0 to 1", (t) => {
  const norms: Record<string, (options: { epsilon?: number; momentum?: number }) => Norm> = {
    batchNorm,
    batchRenorm,
    ghostBatchNorm: (options) => ghostBatchNorm({ virtualBatchSize: 2, ...options }),
    instanceNorm,
    frozenNorm,
    groupNorm,
    layerNorm,
    weightStandardization: (options) => weightStandardization(noNorm(), options),
  };
  for (const [name, make] of Object.entries(norms)) {
    for (const epsilon of [0, -1e-5, Number.NaN, Infinity]) {
      t.throws(() => make({ epsilon }), new RegExp(`RangeError: ${name}: epsilon is ${epsilon}; `));
    }
    if (!/batch|instance/i.test(name)) continue;
    for (const momentum of [-0.1, 1.1, Number.NaN]) {
      t.throws(() => make({ momentum }), new RegExp(`${name}: momentum is ${momentum}; `));
    }
    t.doesNotThrow(() => [make({ momentum: 0 }), make({ momentum: 1 })]);
  }
  t.end();
});

test("the rivals' options out of range", (t) => {
  t.throws(() => groupNorm({ groups: 0 }), /groupNorm: groups is 0/);
  t.throws(() => layerNorm({ epsilon: -1 }), /layerNorm: epsilon is -1/);
  t.throws(() => layerNorm({ over: "pixels" as "pixel" }), /layerNorm: over is "pixels"/);
  t.throws(() => instanceNorm({ momentum: 2 }), /instanceNorm: momentum is 2/);
  t.throws(() => ghostBatchNorm({ virtualBatchSize: 1.5 }), /virtualBatchSize is 1.5/);
  t.throws(() => batchRenorm({ rMax: 0.5 }), /rMax is 0.5/);
  t.throws(() => batchRenorm({ dMax: -1 }), /dMax is -1/);
  t.throws(() => batchRenorm({ warmUp: 10, rSteps: 5 }), /rSteps is 5.*warmUp, 10/);
  t.throws(() => frozenNorm({ epsilon: Number.NaN }), /frozenNorm: epsilon is NaN/);
  t.throws(() => weightStandardization(noNorm(), { epsilon: 0 }), /epsilon is 0/);
  t.end();
});
