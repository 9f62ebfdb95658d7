// Gradients against central differences, in float64 on the reference.

import { createReferenceBackend } from "@fewnorm/backend-reference";
import {
  add,
  type Builder,
  createBuilder,
  foldIn,
  grad,
  key,
  multiply,
  normal,
  type Shape,
  sizeOf,
  sum,
  type Tensor,
} from "@fewnorm/tensor";
import type { Test } from "tape";

/** Records what is differentiated: its operands are what the gradient is taken of. */
export interface Operands {
  readonly builder: Builder;
  /** Normally distributed numbers. */
  values(...shape: number[]): Tensor;
  /** Numbers >= 0.5. */
  positive(...shape: number[]): Tensor;
  /** Numbers at least 0.1 from 0, where ReLU has its kink. */
  awayFromZero(...shape: number[]): Tensor;
  /** A vector of whole numbers; no gradient is taken of it. */
  whole(...values: number[]): Tensor;
}

export type Build = (operands: Operands) => Tensor;

// Central differences are off by h²·|f'''|/6 and by u·|f|/h. With h = 2^-14 that is 6e-10·|f'''| and
// 2e-12·|f|; third derivatives of a few tens, as of the quotients here, stay below this tolerance.
const step = 2 ** -14;
const tolerance = 1e-7;

/**
 * Asserts that the gradient of Σ c·y, with random c, agrees with central differences in every element
 * of every operand; with order 2, that of Σ c·∂(Σ c'·y)/∂x does.
 */
export async function checkGradient(t: Test, name: string, order: 1 | 2, build: Build) {
  const builder = createBuilder();
  const operands: { tensor: Tensor; name: string; values: Float64Array }[] = [];
  const whole: Record<string, readonly number[]> = {};
  const drawn = (shape: Shape, map: (x: number) => number): Tensor => {
    const index = operands.length;
    const values = normal(foldIn(key(7), index), sizeOf(shape)).map(map);
    const tensor = builder.input(`operand ${index}`, shape);
    operands.push({ tensor, name: `operand ${index}`, values });
    return tensor;
  };
  const y = build({
    builder,
    values: (...shape) => drawn(shape, (x) => x),
    positive: (...shape) => drawn(shape, (x) => 0.5 + Math.abs(x)),
    awayFromZero: (...shape) => drawn(shape, (x) => (x < 0 ? x - 0.1 : x + 0.1)),
    whole(...values) {
      const input = `whole ${Object.keys(whole).length}`;
      whole[input] = values;
      return builder.input(input, [values.length], "int32");
    },
  });

  const wrt = operands.map(({ tensor }) => tensor);
  let draws = 0;
  const weighted = (x: Tensor): Tensor => {
    const weights = normal(foldIn(key(8), draws++), sizeOf(x.shape));
    return sum(multiply(x, builder.constant(Array.from(weights), x.shape)));
  };
  const first = weighted(y);
  const loss =
    order === 1
      ? first
      : grad(first, wrt)
          .map(weighted)
          .reduce((a, b) => add(a, b));
  // Adding 0·x keeps every operand in the graph, also when the second derivative vanishes.
  const kept = wrt.map((x) => multiply(sum(x), 0)).reduce((a, b) => add(a, b), loss);
  builder.output("loss", kept);
  for (const [i, gradient] of grad(loss, wrt).entries()) builder.output(`gradient ${i}`, gradient);

  const backend = createReferenceBackend();
  const executable = await backend.compile(builder.finish());
  const feeds = {
    ...Object.fromEntries(operands.map(({ name, values }) => [name, values])),
    ...whole,
  };
  const results = await executable.run(feeds);
  const lossAt = async () => (await executable.run(feeds)).loss?.get(0) ?? NaN;
  let worst = 0;
  let where = "";
  for (const [i, { name, values }] of operands.entries()) {
    const gradient = results[`gradient ${i}`]?.data ?? [];
    for (const [at, value] of values.entries()) {
      values[at] = value + step;
      const above = await lossAt();
      values[at] = value - step;
      const below = await lossAt();
      values[at] = value;
      const expected = (above - below) / (2 * step);
      const off = Math.abs((gradient[at] ?? NaN) - expected) / (1 + Math.abs(expected));
      if (off > worst || Number.isNaN(off)) {
        worst = off;
        where = `${name} at ${at}: ${gradient[at]}, expected ${expected}`;
      }
    }
  }
  await backend.dispose();
  t.ok(worst <= tolerance, `${name}, order ${order}: off by ${worst.toExponential(1)} (${where})`);
}
