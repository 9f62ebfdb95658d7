// Reshaping, static slices and padding: the elements of a tensor, elsewhere.

import { type Shape, sizeOf } from "@fewnorm/tensor";
import type { Emitter } from "../kernel/emitter.ts";
import { unflatten } from "../kernel/threads.ts";
import type { Coordinates } from "../lowered.ts";
import { type Lowering, often, once, operand, pointwise, sumOf, view } from "./lowering.ts";

export const reshape: Lowering<"reshape"> = ({ node, x }) => {
  const of = operand(x, 0);
  return view(node.shape, once(of), (e, at) => reshaped(e, at, node.shape, of.shape));
};

/**
 * The coordinates in `to` of the element at `at` in `from`. Runs of axes that hold equally many elements on both
 * sides are mapped on their own, so that axes that stay cost nothing.
 */
function reshaped(e: Emitter, at: Coordinates, from: Shape, to: Shape): string[] {
  const result = new Array<string>(to.length).fill("0");
  let [i, j] = [0, 0];
  while (i < from.length || j < to.length) {
    const [first, begin] = [i, j];
    let [a, b] = [from[i++] ?? 1, to[j++] ?? 1];
    while (a !== b) {
      if (a < b) a *= from[i++] ?? 1;
      else b *= to[j++] ?? 1;
    }
    const [inner, outer] = [from.slice(first, i), to.slice(begin, j)];
    const coordinates = unflatten(e, flatten(e, at.slice(first, i), inner), outer);
    for (const [k, coordinate] of coordinates.entries()) result[begin + k] = coordinate;
  }
  return result;
}

function flatten(e: Emitter, at: Coordinates, shape: Shape): string {
  const terms = at.flatMap((coordinate, axis) => {
    if (shape[axis] === 1 || coordinate === "0") return [];
    const stride = sizeOf(shape.slice(axis + 1));
    return [stride === 1 ? coordinate : `${coordinate} * ${stride}`];
  });
  const sum = sumOf(terms);
  const value = terms.every((term) => /^[\d\s*]+$/.test(term)) ? constantOf(terms) : undefined;
  return value ?? e.name(sum);
}

const constantOf = (terms: readonly string[]): string =>
  String(
    terms.reduce(
      (sum, term) => sum + term.split("*").reduce((value, factor) => value * Number(factor), 1),
      0,
    ),
  );

export const slice: Lowering<"slice"> = ({ node, x }) => {
  const { start, stride } = node.attributes;
  // What is sliced is computed as a whole: a benchmark that fetches one element means all of them.
  return view(node.shape, often(operand(x, 0)), (e, at) =>
    at.map((coordinate, axis) =>
      affine(e, coordinate, stride[axis] as number, start[axis] as number),
    ),
  );
};

/** coordinate · scale + shift. */
export function affine(e: Emitter, coordinate: string, scale: number, shift: number): string {
  const value = Number(coordinate);
  if (!Number.isNaN(value)) return String(value * scale + shift);
  if (scale === 1 && shift === 0) return coordinate;
  const scaled = scale === 1 ? coordinate : `${coordinate} * ${scale}`;
  return e.name(shift === 0 ? scaled : `${scaled} ${shift < 0 ? "-" : "+"} ${Math.abs(shift)}`);
}

export const pad: Lowering<"pad"> = ({ node, x }) => {
  const of = operand(x, 0);
  const { before, interior } = node.attributes;
  const padded = pointwise(node.shape, [once(of)], (e, at) => {
    const conditions: string[] = [];
    const inner = of.shape.map((length, axis) => {
      const [first, step] = [before[axis] as number, interior[axis] as number];
      const coordinate = at[axis] as string;
      const outer = node.shape[axis] as number;
      if (length === outer) return coordinate;
      const last = first + (length - 1) * step;
      if (first > 0) conditions.push(`${coordinate} >= ${first}`);
      if (last < outer - 1) conditions.push(`${coordinate} <= ${last}`);
      if (length === 1) return "0";
      const shifted = affine(e, coordinate, 1, -first);
      if (step === 1) return shifted;
      // Where it is negative, the condition above does not hold.
      const positive = e.name(`Math.max(${shifted}, 0)`);
      const [quotient, rest] = e.divide(positive, step, outer);
      conditions.push(`${rest} < 0.5`);
      return quotient;
    });
    if (conditions.length === 0) return e.read(of, inner);
    return e.choose([
      { when: conditions.join(" && "), value: () => e.read(of, inner) },
      { value: () => "0" },
    ]);
  });
  return { ...padded, moves: true };
};
