// Cyclic row ranges and windows, whose origins are read when the step runs.

import type { RowRange, Shape } from "@fewnorm/tensor";
import type { Emitter } from "../kernel/emitter.ts";
import type { Lowered } from "../lowered.ts";
import { type Lowering, type LoweringContext, once, operand, pointwise, view } from "./lowering.ts";

export const rows: Lowering<"rows"> = ({ node, x, slots }) => {
  const { index, range } = node.attributes;
  return rowsOf(operand(x, 0), range, slots.row(node.inputs[1] as number, index, range));
};

/** The rows of a range, whose (start + offset) mod modulo this slot holds. */
export function rowsOf(whole: Lowered, range: RowRange, slot: number): Lowered {
  const shape = [range.count, ...whole.shape.slice(1)];
  const rows = view(shape, once(whole), (e, [row = "0", ...rest]) => [
    rowAt(e, range, slot, row),
    ...rest,
  ]);
  return rows.kind === "view" ? { ...rows, rows: { whole, range, slot } } : rows;
}

/** base + ((start + offset + row) mod modulo); the slot holds (start + offset) mod modulo. */
function rowAt(e: Emitter, { base, modulo }: RowRange, slot: number, row: string): string {
  if (modulo === 1) return String(base);
  const sum = e.name(`${e.slot(slot)} + ${row}`);
  const turned = e.name(`${sum} >= ${modulo} ? ${sum} - ${modulo} : ${sum}`);
  return base === 0 ? turned : e.name(`${turned} + ${base}`);
}

/** The row's place in the range, between 0 and modulo − 1 if the row lies on the range's ring, and the ring's condition. */
function placeIn(e: Emitter, { base, modulo }: RowRange, slot: number, row: string) {
  const back = e.name(`${row} - ${base} - ${e.slot(slot)}`);
  return e.name(`${back} < 0 ? ${back} + ${modulo} : ${back}`);
}

/** Whether a row lies in the range, given its place; undefined if it always does. */
function isInside(range: RowRange, total: number, row: string, place: string): string | undefined {
  const { base, modulo, count } = range;
  const conditions = [
    ...(base > 0 ? [`${row} >= ${base}`] : []),
    ...(base + modulo < total ? [`${row} < ${base + modulo}`] : []),
    ...(count < modulo ? [`${place} < ${count}`] : []),
  ];
  return conditions.length === 0 ? undefined : conditions.join(" && ");
}

interface Part {
  readonly of: Lowered;
  readonly range: RowRange;
  readonly slot: number;
}

/** More parts than this are joined a few at a time, since a kernel reads few arrays. */
const MOST_PARTS = 4;

export const joinRows: Lowering<"joinRows"> = ({ node, x, slots }) => {
  const { indices, ranges } = node.attributes;
  const parts = ranges.map((range, k): Part => {
    const start = node.inputs[ranges.length + k] as number;
    return { of: operand(x, k), range, slot: slots.row(start, indices[k] as number, range) };
  });
  let joined: Lowered | undefined;
  for (let first = 0; first < parts.length; first += MOST_PARTS) {
    const last = first + MOST_PARTS >= parts.length;
    joined = joinParts(node.shape, parts.slice(first, first + MOST_PARTS), joined, last);
  }
  return joined as Lowered;
};

/** The rows of some parts; other rows are those of `rest`, or zero. With the last parts every row is covered. */
function joinParts(
  shape: Shape,
  parts: readonly Part[],
  rest: Lowered | undefined,
  last: boolean,
): Lowered {
  const operands = [...new Set(parts.map(({ of }) => of)), ...(rest === undefined ? [] : [rest])];
  const joined = pointwise(shape, operands.map(once), (e, at) => {
    const [row = "0", ...inner] = at;
    const cases = parts.map(({ of, range, slot }) => {
      const place = placeIn(e, range, slot, row);
      const when = isInside(range, shape[0] as number, row, place);
      const value = () => e.read(of, [place, ...inner]);
      return when === undefined ? { value } : { when, value };
    });
    if (rest !== undefined) cases.push({ value: () => e.read(rest, at) });
    else if (!last) cases.push({ value: () => "0" });
    else cases.push({ value: (cases.pop() as { value(): string }).value });
    return e.choose(cases);
  });
  return last && rest === undefined ? { ...joined, parts } : joined;
}

export const addRows: Lowering<"addRows"> = ({ node, x, slots }) => {
  const { index, range } = node.attributes;
  const [base, part] = [operand(x, 0), operand(x, 1)];
  const slot = slots.row(node.inputs[2] as number, index, range);
  return pointwise(node.shape, [once(base), once(part)], (e, at) => {
    const [row = "0", ...rest] = at;
    const place = placeIn(e, range, slot, row);
    const when = isInside(range, node.shape[0] as number, row, place);
    const sum = e.variable(e.read(base, at));
    const add = () => e.statement(`${sum} += ${e.read(part, [place, ...rest])};`);
    if (when === undefined) add();
    else e.when(when, add);
    return sum;
  });
};

type Window = "crop" | "addCrop";

/** Where a window begins, at this run. */
function cornerOf({ node, slots }: LoweringContext<Window>, origin: number) {
  const [top, left] = slots.corner(node.inputs[origin] as number, node.attributes);
  return (e: Emitter): [string, string] => [e.slot(top), e.slot(left)];
}

export const crop: Lowering<"crop"> = (context) => {
  const of = operand(context.x, 0);
  const [, , h, w] = of.shape;
  const corner = cornerOf(context, 1);
  return pointwise(context.node.shape, [once(of)], (e, [n = "0", c = "0", i = "0", j = "0"]) => {
    const [top, left] = corner(e);
    const [y, x] = [e.name(`${i} + ${top}`), e.name(`${j} + ${left}`)];
    // Without a branch, of which one in a loop of a GPU would have many.
    const inside = (at: string, size: number) =>
      e.name(`Math.min(Math.max(${at}, 0), ${size - 1})`);
    const pixel = e.read(of, [n, c, inside(y, h as number), inside(x, w as number)]);
    return e.name(`${y} >= 0 && ${y} < ${h} && ${x} >= 0 && ${x} < ${w} ? ${pixel} : 0`);
  });
};

export const addCrop: Lowering<"addCrop"> = (context) => {
  const { height, width } = context.node.attributes;
  const [base, part] = [operand(context.x, 0), operand(context.x, 1)];
  const corner = cornerOf(context, 2);
  return pointwise(context.node.shape, [once(base), once(part)], (e, at) => {
    const [n = "0", c = "0", y = "0", x = "0"] = at;
    const [top, left] = corner(e);
    const [i, j] = [e.name(`${y} - ${top}`), e.name(`${x} - ${left}`)];
    const sum = e.variable(e.read(base, at));
    e.when(`${i} >= 0 && ${i} < ${height} && ${j} >= 0 && ${j} < ${width}`, () =>
      e.statement(`${sum} += ${e.read(part, [n, c, i, j])};`),
    );
    return sum;
  });
};
