// Layers against plain loops in float64, and the initial values' distributions.

import { createReferenceBackend } from "@fewnorm/backend-reference";
import {
  averagePool,
  type Conv2dLayerOptions,
  conv2d,
  createScope,
  crossEntropy,
  dense,
  drawAll,
  dropout,
  globalAveragePool,
  heNormal,
  joinChannels,
  uniformFanIn,
} from "@fewnorm/nn";
import {
  createBuilder,
  key,
  multiply,
  normal,
  type Shape,
  sizeOf,
  type Tensor,
  trace,
} from "@fewnorm/tensor";
import test from "tape";

type Layer = (scope: ReturnType<typeof createScope>["scope"], x: Tensor) => Tensor;

/** Runs a layer on x, with every state filled by `stateValue(name, shape)`. */
async function run(
  layer: Layer,
  shape: Shape,
  x: ArrayLike<number>,
  stateValue: (name: string, shape: Shape) => ArrayLike<number>,
): Promise<ArrayLike<number>> {
  const backend = createReferenceBackend({ precision: "float64" });
  let states: ReturnType<typeof createScope>["declarations"]["states"] = [];
  const graph = trace((builder) => {
    const { scope, declarations } = createScope(builder, "train");
    builder.output("y", layer(scope, builder.input("x", shape)));
    states = declarations.states;
  });
  const state = await backend.createState(states);
  for (const spec of states) await state.write(spec.name, stateValue(spec.name, spec.shape));
  const { y } = await (await backend.compile(graph, state)).run({ x });
  await backend.dispose();
  return y?.data ?? [];
}

function near(a: ArrayLike<number>, b: readonly number[]): boolean {
  // float64 sums of tens of terms.
  return a.length === b.length && b.every((value, i) => Math.abs(value - (a[i] ?? NaN)) < 1e-12);
}

test("dense is x·weightᵀ + bias", async (t) => {
  const [n, inputs, units] = [3, 5, 4];
  const x = normal(key(1), n * inputs);
  const values: Record<string, Float64Array> = {
    "fc.weight": normal(key(2), units * inputs),
    "fc.bias": normal(key(3), units),
  };
  const y = await run(
    (scope, input) => dense(scope, "fc", input, { units }),
    [n, inputs],
    x,
    (name) => {
      return values[name] as Float64Array;
    },
  );
  const expected = Array.from({ length: n * units }, (_, at) => {
    const [row, unit] = [Math.floor(at / units), at % units];
    let sum = values["fc.bias"]?.[unit] as number;
    for (let i = 0; i < inputs; i++) {
      sum += (x[row * inputs + i] as number) * (values["fc.weight"]?.[unit * inputs + i] as number);
    }
    return sum;
  });
  t.ok(near(y, expected));
  t.end();
});

test("conv2d adds bias and residual before ReLU, and names its states", async (t) => {
  const shape = [1, 1, 2, 2];
  const names: string[] = [];
  const y = await run(
    (scope, x) =>
      conv2d(scope.at("layer1"), "conv1", x, {
        channels: 1,
        kernel: 1,
        residual: x,
        relu: true,
      }),
    shape,
    [1, -2, 3, -4],
    (name) => {
      names.push(name);
      return name.endsWith("bias") ? [0.5] : [2];
    },
  );
  t.ok(near(y, [3.5, 0, 9.5, 0]), "relu(2x + 0.5 + x)");
  t.deepEqual(names.sort(), ["layer1.conv1.bias", "layer1.conv1.weight"]);
  t.end();
});

test("globalAveragePool is the mean of each map", async (t) => {
  const y = await run(
    (_, x) => globalAveragePool(x),
    [1, 2, 1, 3],
    [1, 2, 6, -1, 0, 4],
    () => [],
  );
  t.ok(near(y, [3, 1]));
  t.end();
});

test("crossEntropy of equal logits is log K", async (t) => {
  const y = await run(
    (scope, x) => crossEntropy(x, scope.builder.constant([0, 4], [2], "int32")),
    [2, 5],
    new Float64Array(10).fill(3),
    () => [],
  );
  t.ok(near(y, [Math.log(5)]));
  t.end();
});

test("initial values have the stated spread", (t) => {
  const shape = [32, 16, 3, 3];
  const n = sizeOf(shape);
  const spread = (values: Float32Array) => {
    const mean = values.reduce((a, b) => a + b, 0) / n;
    return Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / n);
  };
  // A deviation from n = 4,608 values scatters by 1/√(2n) = 1%; 5% is five times that: one false
  // alarm in a million.
  const expected = Math.sqrt(2 / (32 * 9));
  t.ok(Math.abs(spread(heNormal(shape, key(1))) / expected - 1) < 0.05, "He normal, fan-out");
  const uniform = uniformFanIn(144)(shape, key(2));
  t.ok(Math.abs(spread(uniform) / (1 / 12 / Math.sqrt(3)) - 1) < 0.05, "uniform, fan-in");
  t.ok(
    uniform.every((value) => Math.abs(value) <= 1 / 12),
    "within the bound",
  );
  t.end();
});

test("what does not fit names the layer", (t) => {
  trace((builder) => {
    const { scope } = createScope(builder, "train");
    const [x, three] = [builder.input("x", [2, 4, 4, 4]), builder.input("3", [2, 3, 4, 4])];
    const layer = (from: Tensor, options: Partial<Conv2dLayerOptions>) => () =>
      conv2d(scope.at("layer1"), "conv2", from, { channels: 8, kernel: 3, ...options });
    t.throws(
      layer(x, { kernel: 5 }),
      /^RangeError: conv2d: layer "layer1\.conv2": a 5x5 kernel does not fit in a 4x4 map/,
    );
    t.throws(
      layer(three, { groups: 2 }),
      /^RangeError: conv2d: layer "layer1\.conv2", weight \[channels, inputs\/groups.*\]: shape \[8, 1\.5, 3, 3\] has a size/,
    );
    t.throws(
      layer(x, { channels: 0 }),
      /layer "layer1\.conv2", weight \[channels.*\]: shape \[0, 4, 3, 3\] has a size that is not a/,
    );
    t.throws(
      layer(x, { residual: x }),
      /layer "layer1\.conv2": the residual is \[2, 4, 4, 4\]; it must be \[2, 8, 2, 2\], as the result/,
    );
    const fc = (from: Tensor, units: number) => () =>
      dense(scope.at("head"), "fc", from, { units });
    t.throws(
      fc(x, 5),
      /^RangeError: dense: layer "head\.fc": the input is \[2, 4, 4, 4\]; it must be \[N, inputs\]: pool/,
    );
    const rows = builder.input("rows", [2, 4]);
    t.throws(fc(rows, 0), /layer "head\.fc", weight \[units, inputs\]: shape \[0, 4\] has a size/);
    t.throws(fc(rows, 1.5), /layer "head\.fc", weight .*: shape \[1\.5, 4\] has a size/);
    t.throws(layer(x, { stride: 0 }), /layer "layer1\.conv2": stride \[0, 0\]/);
    t.throws(
      layer(x, { kernel: undefined as unknown as number }),
      /^TypeError: conv2d: layer "layer1\.conv2": kernel is undefined; give a number, or an array of/,
    );
    const none = undefined as unknown as Tensor;
    t.throws(
      layer(none, {}),
      /^TypeError: conv2d: layer "layer1\.conv2": undefined is no tensor; give/,
    );
    t.throws(
      layer(x, { residual: 1 as unknown as Tensor }),
      /^TypeError: conv2d: layer "layer1\.conv2", residual: 1 is no tensor/,
    );
    t.throws(fc(none, 5), /^TypeError: dense: layer "head\.fc": undefined is no tensor/);
    t.throws(
      () => globalAveragePool(none),
      /^TypeError: globalAveragePool: undefined is no tensor/,
    );
    t.throws(() => joinChannels(x, none), /^TypeError: joinChannels: undefined is no tensor/);
    const whole = builder.input("whole", [2, 4, 4, 4], "int32");
    t.throws(
      layer(whole, { kernel: 4 }),
      /^TypeError: conv2d: layer "layer1\.conv2": operand 1 is int32; it must be float32/,
    );
    builder.output("y", layer(x, { kernel: 4 })());
  });
  t.end();
});

test("pooling refuses what is no map, and windows that do not fit", (t) => {
  trace((builder) => {
    const [maps, rows] = [builder.input("maps", [2, 3, 4, 6]), builder.input("rows", [2, 3])];
    t.throws(
      () => globalAveragePool(rows),
      /^RangeError: globalAveragePool: the input is \[2, 3\]; it must be \[N, C, H, W\]/,
    );
    t.throws(
      () => averagePool(rows, 2),
      /^RangeError: averagePool: the input is \[2, 3\]; it must/,
    );
    for (const size of [0, 1.5, 5]) {
      t.throws(
        () => averagePool(maps, size),
        new RegExp(
          `averagePool: size is ${size}, and the map 4x6; give a whole number from 1 to 4`,
        ),
      );
    }
    t.deepEqual(averagePool(maps, 4).shape, [2, 3, 1, 1]);
    builder.output("y", maps);
  });
  t.end();
});

test("dropout drops a share of the elements and divides the others by what is left of 1", (t) => {
  const rate = 0.3;
  const shape = [40, 250];
  const builder = createBuilder();
  const { scope, declarations } = createScope(builder, "train");
  const x = builder.input("x", shape);
  t.notEqual(dropout(scope, "a", x, rate).id, x.id);
  dropout(scope, "b", x, rate);
  const masks = [1, 2].flatMap((step) => {
    const { "a.mask": a, "b.mask": b } = drawAll(declarations.draws, key(step));
    return [Array.from(a ?? []), Array.from(b ?? [])];
  });
  t.equal(new Set(masks.map(String)).size, 4, "each layer and step has its own");
  for (const mask of masks) {
    t.equal(mask.length, 10_000);
    t.ok(mask.every((value) => value === 0 || value === 1 / (1 - rate)));
    // Of 10,000 elements 3,000 ± √2,100 = 46 are dropped; 5 deviations: 6e-7.
    const dropped = mask.filter((value) => value === 0).length;
    t.ok(Math.abs(dropped - 3000) < 230, `${dropped} are dropped`);
  }
  const evaluating = createScope(builder, "evaluate").scope;
  const scoring = createScope(builder, "train", 0, undefined, false).scope;
  for (const one of [evaluating, scoring]) t.equal(dropout(one, "c", x, rate).id, x.id, one.mode);
  t.end();
});

test("joinChannels puts one after the other, in maps and in vectors", async (t) => {
  for (const map of [[], [1, 2]]) {
    const size = 2 * 3 * sizeOf(map);
    const x = Array.from({ length: size }, (_, i) => i);
    const joined = await run(
      (_, a) => joinChannels(a, multiply(a, -1)),
      [2, 3, ...map],
      x,
      () => [],
    );
    const half = (image: number) => x.slice((image * size) / 2, ((image + 1) * size) / 2);
    const expected = [0, 1].flatMap((image) => [...half(image), ...half(image).map((v) => 0 - v)]);
    t.deepEqual(Array.from(joined), expected, `maps [${map}]`);
  }
});

test("joinChannels: only channels may differ", (t) => {
  trace((builder) => {
    const a = builder.input("a", [2, 1, 4, 4]);
    t.deepEqual(joinChannels(a, builder.input("b", [2, 3, 4, 4])).shape, [2, 4, 4, 4]);
    for (const shape of [
      [1, 1, 4, 4],
      [2, 1, 3, 4],
      [2, 1, 4, 5],
    ]) {
      const b = builder.input(`b ${shape}`, shape);
      t.throws(() => joinChannels(a, b), /joinChannels: \[2, 1, 4, 4\] and \[.* differ/);
    }
    builder.output("y", a);
  });
  t.end();
});
