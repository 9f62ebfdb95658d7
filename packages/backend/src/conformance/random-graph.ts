// Random graphs of chained primitives, from a key.

import {
  add,
  addCrop,
  addRows,
  broadcast,
  conv2d,
  convolvedShape,
  crop,
  divide,
  foldIn,
  joinRows,
  type Key,
  matmul,
  maxPool,
  moments,
  multiply,
  normalize,
  normalizeGradSums,
  type Primitive,
  pad,
  type RowRange,
  randomInteger,
  relu,
  reluGrad,
  reshape,
  rows,
  type Shape,
  sameShape,
  sizeOf,
  slice,
  softmaxCrossEntropy,
  sqrt,
  subtract,
  sum,
  type Tensor,
  type WindowAttributes,
} from "@fewnorm/tensor";
import type { Case, Recorder } from "./recording.ts";

/** The tensors recorded so far, and draws. */
interface Pool {
  readonly r: Recorder;
  /** A whole number from 0 to `bound` − 1. */
  below(bound: number): number;
  /** A recorded tensor of this rank, or a new operand. */
  any(rank: 2 | 4): Tensor;
  start(): Tensor;
}

type Step = (pool: Pool) => Tensor;

/** The second operand is new, so that magnitudes grow by a factor at most with each primitive. */
const binary =
  (op: (a: Tensor, b: Tensor) => Tensor, kind: "values" | "positive" = "values"): Step =>
  (pool) => {
    const x = anyRank(pool);
    const shapes = [x.shape, [], x.shape.slice(1), x.shape.map((n, i) => (i === 1 ? n : 1))];
    return op(x, pool.r[kind](shapes[pool.below(shapes.length)] as Shape));
  };

const anyRank = (pool: Pool): Tensor => pool.any(pool.below(2) === 0 ? 2 : 4);

const vector = (pool: Pool, x: Tensor): Tensor => pool.r.values([x.shape[1] as number]);

function geometryOf(pool: Pool, x: Shape) {
  const [, c = 1, h = 1, w = 1] = x;
  const groups = pool.below(4) === 0 ? c : 1;
  const padding = [pool.below(3), pool.below(3)] as const;
  const kh = 1 + pool.below(Math.min(5, h + 2 * padding[0]));
  const kw = 1 + pool.below(Math.min(5, w + 2 * padding[1]));
  const stride = [1 + pool.below(2), 1 + pool.below(2)] as const;
  const weight = [groups * (1 + pool.below(5)), c / groups, kh, kw];
  return { stride, padding, groups, weight };
}

function weight(pool: Pool, shape: Shape): Tensor {
  return pool.r.values(shape, { deviation: 1 / Math.sqrt(sizeOf(shape.slice(1))) });
}

function rangeOf(pool: Pool, total: number): RowRange {
  const base = pool.below(total);
  const modulo = 1 + pool.below(total - base);
  const count = 1 + pool.below(modulo);
  return { base, modulo, offset: pool.below(modulo), count };
}

function windowOf(pool: Pool): WindowAttributes {
  return {
    index: pool.below(2),
    height: 1 + pool.below(6),
    width: 1 + pool.below(6),
    stride: [1 + pool.below(2), 1 + pool.below(2)],
    offset: [pool.below(3) - 1, pool.below(3) - 1],
  };
}

function windowsOf(pool: Pool, [, , h = 1, w = 1]: Shape) {
  const kernel = [1 + pool.below(Math.min(3, h)), 1 + pool.below(Math.min(3, w))] as const;
  const padding = [pool.below(kernel[0]), pool.below(kernel[1])] as const;
  return { kernel, padding, stride: [1 + pool.below(2), 1 + pool.below(2)] as const };
}

const steps: { readonly [P in Exclude<Primitive, "input" | "state">]: Step } = {
  constant: (pool) => add(anyRank(pool), pool.r.builder.constant(pool.below(9) / 4 - 1)),
  add: (pool) => {
    const x = anyRank(pool);
    return add(x, relu(x));
  },
  subtract: binary(subtract),
  multiply: binary(multiply),
  divide: binary(divide, "positive"),
  sqrt: (pool) => sqrt(add(relu(anyRank(pool)), 1)),
  relu: (pool) => relu(anyRank(pool)),
  // The second operand is new: the sign of a computed one could hang on its rounding.
  reluGrad: (pool) => {
    const g = anyRank(pool);
    return reluGrad(g, pool.r.values(g.shape));
  },
  reshape: (pool) => {
    if (pool.below(2) === 0) {
      const x = pool.any(4);
      return reshape(x, [x.shape[0] as number, sizeOf(x.shape.slice(1))]);
    }
    const x = pool.any(2);
    const [n = 1, c = 1] = x.shape;
    return reshape(x, pool.below(2) === 0 ? [n, c, 1, 1] : [1, n, 1, c]);
  },
  broadcast: (pool) => {
    const x = pool.any(2);
    return broadcast(x, [1 + pool.below(3), 1 + pool.below(3), ...x.shape]);
  },
  sum: (pool) => {
    const x = pool.any(4);
    return multiply(
      sum(
        x,
        [
          [2, 3],
          [0, 1],
          [1, 3],
        ][pool.below(3)],
      ),
      1 / 8,
    );
  },
  slice: (pool) => {
    const x = anyRank(pool);
    const start = x.shape.map((n) => pool.below(n));
    const stride = x.shape.map(() => 1 + pool.below(2));
    const shape = x.shape.map(
      (n, i) => 1 + Math.floor((n - 1 - (start[i] as number)) / (stride[i] as number)),
    );
    return slice(x, { start, stride, shape });
  },
  pad: (pool) => {
    const x = anyRank(pool);
    const before = x.shape.map(() => pool.below(2));
    const interior = x.shape.map(() => 1 + pool.below(2));
    const shape = x.shape.map(
      (n, i) => (before[i] as number) + (n - 1) * (interior[i] as number) + 1 + pool.below(2),
    );
    return pad(x, { before, interior, shape });
  },
  matmul: (pool) => {
    const [transposeA, transposeB] = [pool.below(2) === 0, pool.below(2) === 0];
    const a = pool.any(2);
    const k = a.shape[transposeA ? 0 : 1] as number;
    const n = 1 + pool.below(9);
    const b = pool.r.values(transposeB ? [n, k] : [k, n], { deviation: 1 / Math.sqrt(k) });
    return matmul(a, b, { transposeA, transposeB });
  },
  conv2d: (pool) => {
    const x = pool.any(4);
    const { weight: w, ...geometry } = geometryOf(pool, x.shape);
    const shape = convolvedShape(x.shape, w, geometry);
    return conv2d(x, weight(pool, w), {
      ...geometry,
      bias: pool.below(2) === 0 ? pool.r.values([shape[1] as number]) : undefined,
      residual: pool.below(2) === 0 ? pool.r.values(shape) : undefined,
      relu: pool.below(2) === 0,
    });
  },
  conv2dInputGrad: (pool) => {
    const like = pool.any(4);
    const { weight: w, stride, padding, groups } = geometryOf(pool, like.shape);
    const attributes = { stride, padding, groups, shape: like.shape };
    const g = pool.r.values(convolvedShape(like.shape, w, attributes));
    const dx = pool.r.builder.append("conv2dInputGrad", [g, weight(pool, w)], attributes);
    return add(dx, like);
  },
  conv2dWeightGrad: (pool) => {
    const x = pool.any(4);
    const { weight: shape, stride, padding, groups } = geometryOf(pool, x.shape);
    const attributes = { stride, padding, groups, shape };
    const g = pool.r.values(convolvedShape(x.shape, shape, attributes), { deviation: 0.25 });
    return pool.r.builder.append("conv2dWeightGrad", [x, g], attributes);
  },
  maxPool: (pool) => {
    const x = pool.any(4);
    return maxPool(x, windowsOf(pool, x.shape));
  },
  // The second operand is new: which of a window is the largest could hang on a computed one's rounding.
  maxPoolGrad: (pool) => {
    const g = pool.any(4);
    const [n = 1, c = 1, h = 1, w = 1] = g.shape;
    const kernel = [1 + pool.below(3), 1 + pool.below(3)] as const;
    const stride = [1 + pool.below(2), 1 + pool.below(2)] as const;
    const size = (length: number, axis: 0 | 1) => (length - 1) * stride[axis] + kernel[axis];
    const x = pool.r.values([n, c, size(h, 0), size(w, 1)]);
    return pool.r.builder.append("maxPoolGrad", [g, x], { kernel, stride, padding: [0, 0] });
  },
  // Scaled down, since it squares.
  moments: (pool) => moments(multiply(anyRank(pool), 1 / 16)),
  normalize: (pool) => {
    const x = anyRank(pool);
    return normalize(x, vector(pool, x), vector(pool, x), vector(pool, x), {
      residual: pool.below(2) === 0 ? x : undefined,
      relu: pool.below(2) === 0,
    });
  },
  normalizeGradSums: (pool) => {
    const g = multiply(anyRank(pool), 1 / 8);
    return normalizeGradSums(g, pool.r.values(g.shape), vector(pool, g));
  },
  normalizeInputGrad: (pool) => {
    const g = anyRank(pool);
    const vectors = Array.from({ length: 4 }, () => vector(pool, g));
    const operands = [g, pool.r.values(g.shape), ...vectors];
    return pool.r.builder.append("normalizeInputGrad", operands, {});
  },
  rows: (pool) => {
    const x = anyRank(pool);
    const options = { range: rangeOf(pool, x.shape[0] as number), index: pool.below(3) };
    return rows(x, pool.start(), options);
  },
  joinRows: (pool) => {
    const parts = Array.from({ length: 1 + pool.below(3) }, () => anyRank(pool));
    const [first] = parts as [Tensor];
    const rest = first.shape.slice(1);
    const fitting = parts.filter((part) => sameShape(part.shape.slice(1), rest));
    const modulo = fitting.reduce((total, part) => total + (part.shape[0] as number), 0);
    const [start, index] = [pool.start(), pool.below(3)];
    let offset = 0;
    return joinRows(
      fitting.map((part) => {
        const count = part.shape[0] as number;
        const range = { base: 0, modulo, offset, count };
        offset += count;
        return { part, start, range, index };
      }),
    );
  },
  addRows: (pool) => {
    const base = anyRank(pool);
    const [n = 1, ...rest] = base.shape;
    const range = rangeOf(pool, n);
    const part = pool.r.values([range.count, ...rest]);
    return addRows(base, part, pool.start(), { range, index: pool.below(3) });
  },
  crop: (pool) => crop(pool.any(4), pool.start(), windowOf(pool)),
  addCrop: (pool) => {
    const base = pool.any(4);
    const window = windowOf(pool);
    const [n = 1, c = 1] = base.shape;
    const part = pool.r.values([n, c, window.height, window.width]);
    return addCrop(base, part, pool.start(), window);
  },
  softmaxCrossEntropy: (pool) => {
    const x = pool.any(2);
    const [n, k] = x.shape as [number, number];
    return reshape(softmaxCrossEntropy(x, pool.r.labels(n, k)), [n, 1]);
  },
  softmaxCrossEntropyGrad: (pool) => {
    const x = pool.any(2);
    const [n, k] = x.shape as [number, number];
    const operands = [x, pool.r.labels(n, k), pool.r.values([n])];
    return pool.r.builder.append("softmaxCrossEntropyGrad", operands, {});
  },
};

const kinds = Object.values(steps);

/** Elements beyond which a tensor is not built upon: broadcasting and padding would grow without end. */
const largest = 4000;

/** A graph of some 4 to 15 random primitives, with random outputs and updates. */
export function randomGraph(key: Key): Case {
  return {
    name: "random graph",
    build(r) {
      let drawn = 0;
      const below = (bound: number): number => randomInteger(foldIn(key, drawn++), bound);
      const tensors: Tensor[] = [];
      const sizes = [1, 2, 3, 4, 5, 8];
      const size = () => sizes[below(sizes.length)] as number;
      const fresh = (rank: 2 | 4): Tensor => {
        const shape = Array.from({ length: rank }, size);
        if (below(4) > 0) return r.values(shape);
        return r.state(`state ${drawn}`, shape);
      };
      const pool: Pool = {
        r,
        below,
        any(rank) {
          // Later ones are likelier, which makes chains.
          const fitting = tensors.filter(
            (x) => x.shape.length === rank && sizeOf(x.shape) <= largest,
          );
          const back = Math.min(below(6), below(6));
          const found = below(8) === 0 ? undefined : fitting.at(-1 - back);
          if (found !== undefined) return found;
          const made = fresh(rank);
          tensors.push(made);
          return made;
        },
        start: () => r.integers(Array.from({ length: 3 }, () => below(17) - 6)),
      };
      const count = 4 + below(12);
      for (let i = 0; i < count; i++) {
        tensors.push((kinds[below(kinds.length)] as Step)(pool));
      }
      for (const name of Object.keys(r.states)) {
        const { shape } = r.state(name, r.states[name] as Shape);
        const fitting = tensors.filter((x) => sameShape(x.shape, shape));
        if (below(3) > 0) r.builder.update(name, fitting[below(fitting.length)] as Tensor);
      }
      const outputs: Record<string, Tensor> = { last: tensors.at(-1) as Tensor };
      for (let i = below(4); i > 0; i--) {
        outputs[`output ${i}`] = tensors[below(tensors.length)] as Tensor;
      }
      return outputs;
    },
  };
}
