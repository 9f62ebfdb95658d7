// Reads the fixtures that tools/fixtures/ makes with PyTorch: regenerates what comes from a formula
// and compares results with what is stored (tools/fixtures/network_fixture.py and fixture_values.py state the formats).
import { existsSync, readFileSync } from "node:fs";

export interface Fixture {
  /** Every ReLU input of every training step is at least this far from zero. */
  readonly reluMargin: number;
  readonly optimizer: { learningRate: number; momentum: number; weightDecay: number };
  readonly adamw: AdamW | undefined;
  /** Training steps that have images and labels. */
  readonly steps: number;
  /** Initial parameters and running statistics under PyTorch's names. */
  initial(): Map<string, FixtureTensor>;
  /** Images [N, C, H, W] of a step. */
  images(step: number): FixtureTensor;
  /** Labels [N] of a step. */
  labels(step: number): Int32Array;
  /** Masks of a step's dropouts, 0 or 1/(1 − rate), by the name of their draw. */
  masks(step: number): Record<string, Float32Array>;
  /** Names of the stored results that begin with `prefix`. */
  names(prefix?: string): string[];
  /** The stored result: shape, and how far PyTorch's float32 is from it. */
  entry(name: string): FixtureEntry;
  /**
   * Compares a whole tensor (row-major) with the stored result; deviations count relative to its largest
   * element, or to `floor` where that is larger.
   */
  check(name: string, values: ArrayLike<number>, tolerance: number, floor?: number): FixtureCheck;
}

export interface AdamW {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
}

export interface FixtureTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

export interface FixtureEntry {
  readonly shape: readonly number[];
  readonly sum: number;
  readonly norm: number;
  readonly max: number;
  /** Largest |float32 − float64| of PyTorch, over all elements, and the same divided by `max`. */
  readonly float32Deviation: number;
  readonly float32Relative: number;
}

export interface FixtureCheck {
  readonly ok: boolean;
  /** The largest of the three relative deviations below, what `tolerance` bounds. */
  readonly deviation: number;
  readonly message: string;
}

interface StoredEntry extends FixtureEntry {
  values: string;
}

interface Recipe {
  name: string;
  shape: number[];
  kind: "uniform" | "normal";
  low?: number;
  high?: number;
  scale?: number;
  mean?: number;
  checksum: number;
}

interface StoredNetwork {
  initial: Record<string, Recipe>;
  images: Record<string, Recipe>;
  labels: Record<string, number[]>;
  masks?: Record<string, Record<string, Recipe & { rate: number }>>;
  samples?: number;
  reluMargin: number[];
  tensors: Record<string, StoredEntry>;
}

interface StoredFixture {
  optimizer: Fixture["optimizer"];
  adamw?: AdamW;
  networks: Record<string, StoredNetwork>;
}

/**
 * Opens test/fixtures/`file` and one of its networks (`bn` or `none` in resnet20.json).
 * Throws a RangeError for a network or a tensor that the file does not hold.
 */
export function readFixture(file: string, network: string): Fixture {
  const stored = JSON.parse(readFileSync(fixtureUrl(file), "utf8")) as StoredFixture;
  const content = pick(stored.networks, network, "network");
  let initial: Map<string, FixtureTensor> | undefined;
  const entry = (name: string) => pick(content.tensors, name, "tensor");
  return {
    reluMargin: Math.min(...content.reluMargin),
    optimizer: stored.optimizer,
    adamw: stored.adamw,
    steps: Object.keys(content.images).length,
    initial() {
      initial ??= new Map(
        Object.entries(content.initial).map(([name, recipe]) => [name, generate(recipe)]),
      );
      return initial;
    },
    images: (step) => generate(pick(content.images, String(step), "step")),
    labels: (step) => Int32Array.from(pick(content.labels, String(step), "step")),
    masks: (step) =>
      Object.fromEntries(
        Object.entries(content.masks?.[step] ?? {}).map(([name, recipe]) => [name, maskOf(recipe)]),
      ),
    names: (prefix = "") => Object.keys(content.tensors).filter((name) => name.startsWith(prefix)),
    entry,
    check: (name, values, tolerance, floor = 0) =>
      compare(name, entry(name), values, { tolerance, floor, samples: content.samples ?? 512 }),
  };
}

/**
 * Deviation = the largest of: max |a − e| over the stored elements / max |e| of the tensor;
 * |‖a‖ − ‖e‖| / ‖e‖; |Σa − Σe| / (√n · ‖e‖), which |Σd| ≤ √n·‖d‖ bounds by the relative L2 error.
 * max |e| is at least `floor`, ‖e‖ what it would be with one such element.
 */
function compare(
  name: string,
  entry: StoredEntry,
  values: ArrayLike<number>,
  options: { tolerance: number; floor: number; samples: number },
): FixtureCheck {
  const { tolerance, floor, samples } = options;
  const size = entry.shape.reduce((product, extent) => product * extent, 1);
  if (values.length !== size) {
    const message = `${name}: ${values.length} values, where the shape [${entry.shape}] has ${size}`;
    return { ok: false, deviation: Number.POSITIVE_INFINITY, message };
  }
  const expected = decodeFloats(entry.values);
  let worst = 0;
  let worstIndex = 0;
  for (let i = 0; i < expected.length; i++) {
    const index = sampleIndex(i, size, samples);
    const difference = Math.abs(values[index]! - expected[i]!);
    if (!(difference <= worst)) {
      worst = difference;
      worstIndex = index;
    }
  }
  let sum = 0;
  let squares = 0;
  for (let i = 0; i < size; i++) {
    sum += values[i]!;
    squares += values[i]! ** 2;
  }
  const scale = Math.max(entry.norm, floor) || 1;
  const elements = worst / (Math.max(entry.max, floor) || 1);
  const norm = Math.abs(Math.sqrt(squares) - entry.norm) / scale;
  const total = Math.abs(sum - entry.sum) / (Math.sqrt(size) * scale);
  const deviation = Math.max(elements, norm, total);
  const ok = deviation <= tolerance;
  const message =
    `${name}: off by ${deviation.toExponential(2)} of ${tolerance.toExponential(1)} ` +
    `(element ${worstIndex} ${elements.toExponential(1)}, norm ${norm.toExponential(1)}, ` +
    `sum ${total.toExponential(1)}; PyTorch's float32 ${entry.float32Relative.toExponential(1)})`;
  return { ok, deviation, message };
}

/** Index of the i-th stored element: all of a tensor of up to `samples`, else (i · 7919) mod size. */
function sampleIndex(i: number, size: number, samples: number): number {
  return size <= samples ? i : (i * 7919) % size;
}

/** Zero where a uniform number is below the rate, 1/(1 − rate) elsewhere. */
function maskOf(recipe: Recipe & { rate: number }): Float32Array {
  const rate = Math.fround(recipe.rate);
  return generate(recipe).values.map((value) => (value < rate ? 0 : 1 / (1 - recipe.rate)));
}

/** The generated tensor of a recipe; throws an Error when its checksum differs. */
function generate(recipe: Recipe): FixtureTensor {
  const { name, shape, kind, low = 0, high = 1, scale = 1, mean = 0 } = recipe;
  const size = shape.reduce((product, extent) => product * extent, 1);
  const start = fnv1a(name);
  const unit = 2 ** -24;
  const draw = (n: number) => mix(start + Math.imul(n, 0x9e3779b9)) >>> 8;
  const values = new Float32Array(size);
  for (let k = 0; k < size; k++) {
    if (kind === "uniform") {
      values[k] = low + (high - low) * (draw(k) * unit);
    } else {
      const four = draw(4 * k) + draw(4 * k + 1) + draw(4 * k + 2) + draw(4 * k + 3);
      values[k] = mean + scale * (four * unit - 2);
    }
  }
  const checksum = new Uint32Array(values.buffer).reduce((sum, bits) => (sum + bits) >>> 0, 0);
  if (checksum !== recipe.checksum) {
    throw new Error(
      `fixture: "${name}" has checksum ${checksum}, not ${recipe.checksum}; make the file again`,
    );
  }
  return { shape, values };
}

function mix(value: number): number {
  let a = value | 0;
  a = Math.imul(a ^ (a >>> 16), 0x7feb352d);
  a = Math.imul(a ^ (a >>> 15), 0x846ca68b);
  return a ^ (a >>> 16);
}

function fnv1a(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) value = Math.imul(value ^ byte, 0x01000193);
  return value;
}

function decodeFloats(base64: string): Float32Array {
  const bytes = Buffer.from(base64, "base64");
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i));
}

/** The tests run from dist/test/, or from test/ where Node reads TypeScript itself. */
function fixtureUrl(file: string): URL {
  const beside = new URL(`./fixtures/${file}`, import.meta.url);
  return existsSync(beside) ? beside : new URL(`../../test/fixtures/${file}`, import.meta.url);
}

function pick<T>(entries: Record<string, T>, name: string, what: string): T {
  const found = entries[name];
  if (found === undefined) {
    throw new RangeError(`fixture: no ${what} "${name}"; there are ${Object.keys(entries)}`);
  }
  return found;
}
