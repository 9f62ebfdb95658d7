// Exported models give in onnxruntime the logits that they give here.
import { createWasmBackend } from "@fewnorm/backend-wasm";
import {
  densenet,
  imagenetResnet,
  lenet,
  mobilenetV2,
  preActivationResnet,
  resnet,
  vgg,
  wideResnet,
} from "@fewnorm/models";
import {
  conv2d,
  dense,
  globalAveragePool,
  heNormal,
  type Model,
  type Scope,
  zeros,
} from "@fewnorm/nn";
import { batchNorm, type Norm, noNorm } from "@fewnorm/norm";
import { exportOnnx } from "@fewnorm/onnx";
import { normForms, parseNorm } from "@fewnorm/presets";
import {
  add,
  broadcast,
  conv2d as convolve,
  divide,
  mean,
  multiply,
  reshape,
  sqrt,
  subtract,
  sum,
  type Tensor,
} from "@fewnorm/tensor";
import test from "tape";
import { runOnnx } from "./onnxruntime.ts";
import { compare, imagesOf, logitsHere, randomStates } from "./trained.ts";

/** Operators by how often they occur, found by their names in the file: each is a string field of its own. */
function operators(file: Uint8Array, op: string): number {
  const field = Buffer.from([0x22, op.length, ...Buffer.from(op)]);
  let [count, at] = [0, -1];
  for (;;) {
    at = Buffer.from(file).indexOf(field, at + 1);
    if (at < 0) return count;
    count++;
  }
}

// float32 against float64, relative to the largest logit: 6e-8 for each rounding, of which a sum of a few hundred
// products has as many as their root, about 20, and errors of 20 layers add up as roots, too.
const tolerance = 5e-6;

test("ResNet-20 with bn, folded and not, optimized and not", async (t) => {
  const model = resnet({ depth: 20, norm: batchNorm() });
  const states = randomStates(model);
  const images = imagesOf(model, 2);
  const expected = await logitsHere(model, states, images);
  for (const foldNorms of [false, true]) {
    const file = await exportOnnx(model, states, { foldNorms });
    t.equal(operators(file, "Conv"), 19, "convolutions");
    t.equal(operators(file, "Gemm"), 1, "dense layers");
    t.equal(operators(file, "BatchNormalization"), foldNorms ? 0 : 19, "batch norms");
    t.equal(Buffer.from(file).includes("layer1.0.bn1.running_var"), !foldNorms, "PyTorch's names");
    for (const optimize of [false, true]) {
      const found = await runOnnx(file, images, [2, 3, 32, 32], optimize);
      t.deepEqual([...found.shape], [2, 10]);
      const { off, size } = compare(found.logits, expected);
      const what = `${foldNorms ? "folded" : "not folded"}, ${optimize ? "optimized" : "as it is"}`;
      t.ok(off <= tolerance * size, `${what}: off by ${off} of ${size}`);
    }
  }
});

const small = (norm: Norm): Model =>
  resnet({ depth: 8, width: 8, inputShape: [3, 8, 8], classes: 5, norm });

test("any batch, or one", async (t) => {
  const model = small(batchNorm());
  const states = randomStates(model);
  const free = await exportOnnx(model, states);
  const three = await exportOnnx(model, states, { batch: 3 });
  for (const batch of [1, 3, 11]) {
    const images = imagesOf(model, batch);
    const expected = await logitsHere(model, states, images);
    for (const [file, takes] of [
      [free, true],
      [three, batch === 3],
    ] as const) {
      const found = await runOnnx(file, images, [batch, 3, 8, 8]).catch(() => undefined);
      t.equal(found !== undefined, takes, `a batch of ${batch}`);
      if (found === undefined) continue;
      const { off, size } = compare(found.logits, expected);
      t.ok(off <= tolerance * size, `off by ${off} of ${size}`);
    }
  }
});

test("every norm", async (t) => {
  // Of each form its first example, with sizes that suit 8 channels.
  const names = normForms.map(({ form }) => (form.split(",")[0] ?? "").replace(/^gn:\d+/, "gn:4"));
  t.ok(names.length >= 7);
  for (const name of names) {
    const model = small(parseNorm(name));
    const states = randomStates(model);
    const images = imagesOf(model, 2);
    const expected = await logitsHere(model, states, images);
    for (const foldNorms of [false, true]) {
      const file = await exportOnnx(model, states, { foldNorms });
      const { logits } = await runOnnx(file, images, [2, 3, 8, 8]);
      const { off, size } = compare(logits, expected);
      t.ok(
        off <= tolerance * size,
        `${name}, ${foldNorms ? "folded" : "not"}: off by ${off} of ${size}`,
      );
    }
  }
});

const of = (size: number) =>
  ({ norm: batchNorm(), classes: 10, inputShape: [3, size, size] }) as const;

/** Every family, small, and the operators that its file must have. */
const families: readonly (readonly [Model, Readonly<Record<string, number>>])[] = [
  [resnet({ ...of(32), depth: 56 }), { Conv: 55, Gemm: 1 }],
  [imagenetResnet({ ...of(64), depth: 18, width: 8 }), { MaxPool: 1, Conv: 20 }],
  [imagenetResnet({ ...of(64), depth: 50, width: 4, blocks: [2, 1, 1, 1] }), { MaxPool: 1 }],
  // A ReLU stands between the norm and the next convolution: it cannot be folded.
  [preActivationResnet({ ...of(16), depth: 14, width: 4 }), { BatchNormalization: 7 }],
  [wideResnet({ ...of(16), depth: 10, widen: 2, dropout: 0.3 }), { Gemm: 1 }],
  [
    vgg({ ...of(32), depth: 11, width: 4, hidden: 16 }),
    { MaxPool: 5, Gemm: 3, BatchNormalization: 0 },
  ],
  [densenet({ ...of(64), depth: 121, growth: 4, blocks: [2, 1, 2, 1] }), { Concat: 6, Pad: 0 }],
  [densenet({ ...of(16), depth: 100, growth: 4, blocks: [2, 1, 2] }), { AveragePool: 2 }],
  [
    mobilenetV2({ ...of(32), width: 0.25, stages: [0, 1, 2] }),
    { Relu: 13, Min: 13, BatchNormalization: 0 },
  ],
  [lenet({ norm: batchNorm() }), { MaxPool: 2 }],
];

test("every family of models, against the engine", async (t) => {
  for (const [model, counts] of families) {
    const states = randomStates(model);
    const images = imagesOf(model, 2);
    const expected = await logitsHere(model, states, images, createWasmBackend({ threads: 1 }));
    for (const foldNorms of [false, true]) {
      const file = await exportOnnx(model, states, { foldNorms });
      const { logits } = await runOnnx(file, images, [2, ...model.inputShape]);
      const { off, size } = compare(logits, expected);
      // Both sides round, and there are up to 56 layers.
      const what = `${model.name}, ${foldNorms ? "folded" : "not"}`;
      t.ok(off <= 4 * tolerance * size, `${what}: off by ${off} of ${size}`);
      const biased = Buffer.from(file).includes("features.0.bias");
      t.equal(biased, !foldNorms && model.name === "vgg11", `${what}: a convolution's own bias`);
      if (!foldNorms) continue;
      const found = Object.keys(counts).map((op) => [op, operators(file, op)]);
      t.deepEqual(Object.fromEntries(found), counts, `${what}: operators`);
    }
  }
});

test("norms and layers in other places", async (t) => {
  const norm = batchNorm();
  const model: Model = {
    name: "places",
    inputShape: [2, 9, 7],
    classes: 3,
    logits(scope, images) {
      // A norm before everything, grouped and strided convolutions, norms behind dense layers, residuals there.
      let x = norm.layer(scope, "bn0", images, { relu: true });
      x = conv2d(scope, "conv1", x, { channels: 6, kernel: [3, 1], groups: 2, padding: [1, 0] });
      const next = { channels: 6, kernel: 3, stride: [2, 1], padding: 2, relu: true } as const;
      x = norm.conv2d(scope, { linear: "conv2", norm: "bn2" }, x, next);
      const pooled = globalAveragePool(x);
      const hidden = { units: 6, residual: pooled, relu: true };
      const y = norm.dense(scope, { linear: "fc1", norm: "bn3" }, pooled, hidden);
      const z = norm.layer(scope, "bn4", y, { residual: pooled });
      return dense(scope, "fc2", z, { units: 3 });
    },
  };
  const states = randomStates(model);
  const images = imagesOf(model, 3);
  const expected = await logitsHere(model, states, images);
  for (const foldNorms of [false, true]) {
    const file = await exportOnnx(model, states, { foldNorms });
    t.equal(operators(file, "Gemm"), 2);
    t.equal(operators(file, "Conv"), 2);
    // Two have no convolution before them.
    t.equal(operators(file, "BatchNormalization"), foldNorms ? 2 : 4);
    const { logits } = await runOnnx(file, images, [3, 2, 9, 7]);
    const { off, size } = compare(logits, expected);
    t.ok(off <= tolerance * size, `off by ${off} of ${size}`);
  }
});

test("a convolution whose inputs are scaled as by a norm is not one with a norm", async (t) => {
  const model: Model = {
    name: "scaled inputs",
    inputShape: [3, 4, 4],
    classes: 3,
    logits(scope, images) {
      const vector = (name: string) => scope.parameter(name, [3], zeros);
      const deviation = sqrt(add(vector("running_var"), 1e-3));
      const scale = multiply(vector("gamma"), divide(1, deviation));
      const plain = scope.parameter("weight", [3, 3, 1, 1], heNormal);
      const weight = multiply(plain, reshape(scale, [1, 3, 1, 1]));
      const bias = subtract(vector("beta"), multiply(scale, vector("mean")));
      return globalAveragePool(convolve(images, weight, { bias }));
    },
  };
  const states = randomStates(model);
  const images = imagesOf(model, 2);
  const { logits } = await runOnnx(await exportOnnx(model, states), images, [2, 3, 4, 4]);
  const { off, size } = compare(logits, await logitsHere(model, states, images));
  t.ok(off <= tolerance * size, `off by ${off} of ${size}`);
});

test("a sum times a constant that broadcasts it is no mean", async (t) => {
  const model: Model = {
    name: "repeated",
    inputShape: [3, 2, 2],
    classes: 3,
    logits(scope, images) {
      const quarters = scope.builder.constant(1 / 4, [2, 1, 1]);
      return sum(multiply(sum(images, [2, 3]), quarters), [0]);
    },
  };
  const images = imagesOf(model, 2);
  const { logits } = await runOnnx(await exportOnnx(model, new Map()), images, [2, 3, 2, 2]);
  const { off, size } = compare(logits, await logitsHere(model, new Map(), images));
  t.ok(off <= tolerance * size, `off by ${off} of ${size}`);
});

test("a model that mixes the images of a batch is exported for one batch only", async (t) => {
  const model: Model = {
    name: "mixing",
    inputShape: [2, 3, 3],
    classes: 4,
    logits(scope, images) {
      const y = dense(scope, "fc", globalAveragePool(images), { units: 4 });
      return subtract(y, reshape(mean(y, [0]), [1, 4]));
    },
  };
  const states = randomStates(model);
  const refused = await exportOnnx(model, states).catch((error: Error) => error.message);
  t.match(
    String(refused),
    /computes constant another way for another batch; give the option batch/,
  );
  const images = imagesOf(model, 3);
  const { logits } = await runOnnx(
    await exportOnnx(model, states, { batch: 3 }),
    images,
    [3, 2, 3, 3],
  );
  const { off, size } = compare(logits, await logitsHere(model, states, images));
  t.ok(off <= tolerance * size, `off by ${off} of ${size}`);
});

test("what cannot be exported is named", async (t) => {
  const model = small(noNorm());
  const states = randomStates(model);
  const message = (promise: Promise<unknown>) =>
    promise.then(
      () => "it was exported",
      (error: Error) => error.message,
    );
  const fewer = new Map(states);
  fewer.delete("fc.bias");
  t.match(
    await message(exportOnnx(model, fewer)),
    /^exportOnnx: resnet8 needs "fc.bias" \[5\], which is missing/,
  );
  const other = new Map(states).set("fc.bias", { shape: [4], values: new Float32Array(4) });
  t.match(await message(exportOnnx(model, other)), /"fc.bias" \[5\], which is \[4\]/);
  const short = new Map(states).set("fc.bias", { shape: [5], values: new Float32Array(4) });
  t.match(await message(exportOnnx(model, short)), /"fc.bias" has 4 values/);
});

test("options that are none, or are misspelt, are refused", async (t) => {
  const model = small(batchNorm());
  const states = randomStates(model);
  const said = (options: unknown) =>
    exportOnnx(model, states, options as never).then(String, String);
  t.match(await said({ fold: true }), /^TypeError: exportOnnx: there is no option "fold"; .*foldN/);
  t.match(await said({ batch: "3" }), /^TypeError: exportOnnx: batch is "3"; give a number/);
  const without = exportOnnx(model, {} as never).then(String, String);
  t.match(
    await without,
    /^TypeError: exportOnnx: tensors is another object; give a Map of tensors/,
  );
  const unmade = exportOnnx(resnet as never, states).then(String, String);
  t.match(await unmade, /^TypeError: exportOnnx: model is a function; give one, such as resnet/);
});

test("a running variance below 0 is an error that names the layer", async (t) => {
  const model = small(batchNorm());
  const states = randomStates(model);
  for (const value of [-0.25, Number.NaN]) {
    const values = new Float32Array(8).fill(1);
    values[5] = value;
    const wrong = new Map(states).set("layer1.0.bn2.running_var", { shape: [8], values });
    for (const foldNorms of [false, true]) {
      const refused = await exportOnnx(model, wrong, { foldNorms }).catch((e: Error) => e.message);
      const what = `layer "layer1\\.0\\.bn2" has a running variance of ${value} in channel 5; give`;
      t.match(String(refused), new RegExp(`^exportOnnx: ${what}`), `folded: ${foldNorms}`);
    }
  }
  const none = { shape: [8], values: new Float32Array(8) };
  t.ok(await exportOnnx(model, new Map(states).set("layer1.0.bn2.running_var", none)), "0 is one");
});

test("a state that is not finite is named", async (t) => {
  const model = small(batchNorm());
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const values = new Float32Array(8).fill(1);
    values[5] = value;
    const wrong = new Map(randomStates(model)).set("layer1.0.bn2.weight", { shape: [8], values });
    const refused = await exportOnnx(model, wrong).catch((error: Error) => error.message);
    const what = `"layer1\\.0\\.bn2\\.weight" has ${value} as element 5; give states that are finite`;
    t.match(String(refused), new RegExp(`^exportOnnx: ${what}$`));
  }
});

test("a constant that grows with the batch is named by its layer and its parameters", async (t) => {
  const adding = (shift: (scope: Scope, x: Tensor) => Tensor): Model => ({
    ...lenet({ norm: noNorm() }),
    logits(scope, images) {
      const x = dense(scope, "fc", globalAveragePool(images), { units: 10 });
      return add(x, shift(scope.at("head"), x));
    },
  });
  const parameter = (scope: Scope) => scope.parameter("shift", [10], zeros);
  const rows = (scope: Scope, x: Tensor) => broadcast(parameter(scope), x.shape);
  const cases: [Model, RegExp][] = [
    [
      adding(rows),
      /the model has a constant \[N, 10\], made of "head\.shift", that grows with the batch; leave broad/,
    ],
    [
      adding((scope, x) => scope.builder.labelled("head", () => rows(scope, x))),
      /layer "head" has a constant \[N, 10\], made of "head\.shift", that grows/,
    ],
  ];
  for (const [model, message] of cases) {
    const refused = await exportOnnx(model, randomStates(model)).catch((e: Error) => e.message);
    t.match(String(refused), message);
  }
  const left = adding(parameter);
  t.ok(await exportOnnx(left, randomStates(left)), "what the message says");
});

test("a parameter that is called like the input or the output is an error", async (t) => {
  for (const name of ["images", "logits"]) {
    const model: Model = {
      ...lenet({ norm: noNorm() }),
      logits(scope, images) {
        const x = dense(scope, "fc", globalAveragePool(images), { units: 10 });
        return multiply(
          x,
          scope.parameter(name, [10], (_, shape) => new Float32Array(shape[0] ?? 0)),
        );
      },
    };
    await exportOnnx(model, randomStates(model)).then(
      () => t.fail("must be refused"),
      ({ message }: Error) => t.match(message, new RegExp(`a parameter is called "${name}"`)),
    );
  }
});
