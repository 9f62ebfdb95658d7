// Runs an optimizer on parameters with given gradients, without a model.

import type { Backend } from "@fewnorm/backend";
import type { StateDeclaration } from "@fewnorm/nn";
import { createBuilder, elementsOf, type Shape, sizeOf } from "@fewnorm/tensor";
import type { Optimizer } from "@fewnorm/train";

/** Values by parameter name. */
export type Values = Record<string, readonly number[]>;

export const parameterOf = (name: string, shape: Shape): StateDeclaration => ({
  name,
  shape,
  kind: "parameter",
  initialize: () => new Float32Array(sizeOf(shape)),
});

/** The states after each step, all of them by name. */
export async function stepsOf(
  backend: Backend,
  optimizer: Optimizer,
  shapes: Record<string, Shape>,
  {
    initial,
    gradients,
    rates,
  }: { initial: Values; gradients: readonly Values[]; rates: readonly number[] },
): Promise<Values[]> {
  const parameters = Object.entries(shapes).map(([name, shape]) => parameterOf(name, shape));
  const builder = createBuilder();
  const next = optimizer.step(
    parameters.map((parameter) => ({
      parameter,
      value: builder.state(parameter.name, parameter.shape),
      gradient: builder.input(`gradient ${parameter.name}`, parameter.shape),
    })),
    builder.input("learningRate", []),
  );
  for (const [i, { name }] of parameters.entries()) {
    const value = next[i];
    if (value !== undefined) builder.update(name, value);
  }
  const declared = [...parameters, ...optimizer.slots(parameters)];
  const state = await backend.createState(declared);
  for (const { name } of parameters) await state.write(name, initial[name] ?? []);
  const executable = await backend.compile(builder.finish(), state);
  const steps: Values[] = [];
  for (const [i, gradient] of gradients.entries()) {
    const feeds = parameters.map(({ name }) => [`gradient ${name}`, gradient[name] ?? []] as const);
    await executable.run({ ...Object.fromEntries(feeds), learningRate: [rates[i] as number] });
    const values: Record<string, readonly number[]> = {};
    for (const { name, shape } of declared) {
      values[name] = Array.from(elementsOf(name, await state.read(name), shape));
    }
    steps.push(values);
  }
  await executable.dispose();
  await state.dispose();
  return steps;
}

/** The largest |a − b|, divided by the largest |b|, at least 1. */
export function largestDifference(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  const size = Math.max(1, ...b.map(Math.abs));
  return Math.max(0, ...a.map((x, i) => Math.abs(x - (b[i] as number)))) / size;
}
