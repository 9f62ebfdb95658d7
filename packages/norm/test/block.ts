// A normalized block traced and run in the reference backend: values and every gradient.

import type { Backend } from "@fewnorm/backend";
import { createScope, drawAll } from "@fewnorm/nn";
import { type Norm, noNorm } from "@fewnorm/norm";
import type { Strategy } from "@fewnorm/sampling";
import {
  grad,
  type HostValue,
  type Key,
  key,
  multiply,
  normal,
  type Shape,
  sizeOf,
  sum,
  type Tensor,
  trace,
} from "@fewnorm/tensor";

/** What is normalized: the result of a convolution or a dense layer, or the input itself. */
export interface BlockSpec {
  readonly kind: "conv2d" | "dense" | "layer";
  /** Rows include the virtual ones, which come first. */
  readonly x: Shape;
  readonly y: Shape;
  readonly kernel?: number;
  readonly stride?: number;
  /** The convolution has a bias of its own. */
  readonly bias?: boolean;
  readonly residual?: boolean;
  readonly relu?: boolean;
  readonly evaluate?: boolean;
}

export type BlockValues = Record<string, HostValue>;

/** Results by name: y, loss, the buffers' new values, and grad:… of x, weight, linearBias, gamma, beta, residual. */
export type BlockResults = Record<string, ArrayLike<number>>;

function weightShape({ kind, x, y, kernel = 3 }: BlockSpec): Shape | undefined {
  if (kind === "layer") return undefined;
  return kind === "dense" ? [y[1] ?? 1, x[1] ?? 1] : [y[1] ?? 1, x[1] ?? 1, kernel, kernel];
}

/** The shapes of a block's operands by name; `probe` is ∂L/∂y of the loss Σ y·probe. */
export function operandShapes(spec: BlockSpec): Record<string, Shape> {
  const weight = weightShape(spec);
  const c = spec.y[1] ?? 1;
  return {
    x: spec.x,
    ...(weight ? { weight } : {}),
    gamma: [c],
    beta: [c],
    runningMean: [c],
    runningVar: [c],
    runningStd: [c],
    ...(spec.bias ? { linearBias: [c] } : {}),
    ...(spec.residual ? { residual: spec.y } : {}),
    probe: spec.y,
  };
}

/** Random operands: normal, but for positive γ and running variance. */
export function randomOperands(spec: BlockSpec, from: Key): Record<string, Float64Array> {
  return Object.fromEntries(
    Object.entries(operandShapes(spec)).map(([name, shape], i) => {
      const values = normal([from[0] + i, from[1]], sizeOf(shape));
      const positive = /gamma|runningVar|runningStd/.test(name);
      return [name, positive ? values.map((v) => Math.abs(v) + 0.5) : values];
    }),
  );
}

const stateNames: Record<string, string> = {
  weight: "linear.weight",
  linearBias: "linear.bias",
  gamma: "bn.weight",
  beta: "bn.bias",
  runningMean: "bn.running_mean",
  runningVar: "bn.running_var",
  runningStd: "bn.running_std",
  steps: "bn.num_batches_tracked",
};

/** A block with its gradients, and what it declares. */
export function traceBlock(norm: Norm, spec: BlockSpec) {
  const shapes = operandShapes(spec);
  const virtual = spec.evaluate ? 0 : (norm.virtualImages?.count ?? 0);
  let declared: ReturnType<typeof createScope>["declarations"] | undefined;
  const graph = trace((builder) => {
    const { scope, declarations } = createScope(
      builder,
      spec.evaluate ? "evaluate" : "train",
      virtual,
    );
    declared = declarations;
    const x = builder.input("x", spec.x);
    const residual = spec.residual ? builder.input("residual", spec.y) : undefined;
    const y = applyNorm(norm, spec, scope, x, residual);
    const loss = sum(multiply(y, builder.input("probe", spec.y)));
    const wrt: Record<string, Tensor> = { x, ...(residual ? { residual } : {}) };
    for (const name of ["weight", "linearBias", "gamma", "beta"]) {
      const shape = shapes[name];
      const stateName = stateNames[name] as string;
      const state = declarations.states.find((other) => other.name === stateName);
      if (shape && state?.kind === "parameter") {
        wrt[name] = builder.state(stateName, shape);
      }
    }
    const gradients = grad(loss, Object.values(wrt));
    for (const [i, name] of Object.keys(wrt).entries()) {
      builder.output(`grad:${name}`, gradients[i] as Tensor);
    }
    builder.output("y", y);
    builder.output("loss", loss);
  });
  return { graph, declarations: declared as NonNullable<typeof declared> };
}

/** Compiles a block once; the returned function runs it on operands. */
export async function compileBlock(
  backend: Backend,
  norm: Norm,
  spec: BlockSpec,
  step: Key = key(1),
): Promise<(operands: BlockValues) => Promise<BlockResults>> {
  const { graph, declarations } = traceBlock(norm, spec);
  const state = await backend.createState(declarations.states);
  const executable = await backend.compile(graph, state);
  return async (operands) => {
    for (const [name, stateName] of Object.entries(stateNames)) {
      const value = operands[name];
      if (value && declarations.states.some((s) => s.name === stateName)) {
        await state.write(stateName, value);
      }
    }
    const feeds: BlockValues = { ...drawAll(declarations.draws, step) };
    for (const name of ["x", "residual", "probe"]) {
      const value = operands[name];
      if (value && name in graph.inputs) feeds[name] = value;
    }
    const fetched = await executable.run(feeds);
    const results: BlockResults = Object.fromEntries(
      Object.entries(fetched).map(([name, array]) => [name, array.data]),
    );
    for (const name of ["runningMean", "runningVar", "runningStd", "steps"]) {
      const stateName = stateNames[name] as string;
      if (declarations.states.some((s) => s.name === stateName)) {
        results[name] = (await state.read(stateName)).data;
      }
    }
    return results;
  };
}

function applyNorm(
  norm: Norm,
  spec: BlockSpec,
  scope: ReturnType<typeof createScope>["scope"],
  x: Tensor,
  residual: Tensor | undefined,
): Tensor {
  const { kernel = 3, stride = 1, bias = false, relu = false, y } = spec;
  const names = { linear: "linear", norm: "bn" };
  const epilogue = { residual, relu };
  if (spec.kind === "layer") return norm.layer(scope, "bn", x, epilogue);
  if (spec.kind === "dense") return norm.dense(scope, names, x, { units: y[1] ?? 1, ...epilogue });
  const padding = (kernel - 1) / 2;
  return norm.conv2d(scope, names, x, {
    channels: y[1] ?? 1,
    kernel,
    stride,
    padding,
    bias,
    ...epilogue,
  });
}

/** The norm's layer behind the convolution or dense layer of no norm, which have biases. */
export const behind = (norm: Norm): Norm => ({
  ...norm,
  conv2d: (scope, names, x, { residual, relu, ...spec }) =>
    norm.layer(scope, names.norm, noNorm().conv2d(scope, names, x, spec), {
      residual,
      relu: relu === true,
    }),
  dense: (scope, names, x, { units, residual, relu }) =>
    norm.layer(scope, names.norm, noNorm().dense(scope, names, x, { units }), {
      residual,
      relu: relu === true,
    }),
});

/** Largest |a − b| divided by the largest |b|, at least 1. */
export function deviation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let difference = a.length === b.length ? 0 : Number.POSITIVE_INFINITY;
  let size = 1;
  for (let i = 0; i < b.length; i++) {
    difference = Math.max(difference, Math.abs((a[i] ?? Number.NaN) - (b[i] as number)));
    size = Math.max(size, Math.abs(b[i] as number));
  }
  return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference / size;
}

/** A strategy with a block that stands still, for fixtures. */
export function fixedBlock(
  block: { row: number; rows: number; top: number; left: number; height: number; width: number },
  virtualRows = 0,
): Strategy {
  const { row, rows, top, left, height, width } = block;
  return {
    name: `fixed ${rows}x${height}x${width}`,
    virtualRows,
    extent: () => ({ rows, height, width }),
    origin: () => ({ row, top, left }),
    ...(virtualRows > 0
      ? {
          virtualInput: (shape: {
            rows: number;
            channels: number;
            height: number;
            width: number;
          }) => new Float32Array(shape.rows * shape.channels * shape.height * shape.width),
        }
      : {}),
  };
}
