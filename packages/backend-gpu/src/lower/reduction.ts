// Sums over some of a tensor's axes, in stages: a kernel has one thread for each element of its result, so that a
// sum of many elements into few first goes into many parts.

import { type Shape, sizeOf } from "@fewnorm/tensor";
import type { Emitter } from "../kernel/emitter.ts";
import { unflatten } from "../kernel/threads.ts";
import type { Coordinates, Lowered, Operand } from "../lowered.ts";
import { loop, once, view } from "./lowering.ts";

/** What is summed. */
export interface Sums {
  /** The shape that is summed over, and those of its axes that disappear. */
  readonly over: Shape;
  readonly axes: readonly number[];
  readonly operands: readonly Operand[];
  /**
   * The terms at these coordinates, of one sum or of several. The first argument of each is what comes from `shared`.
   */
  readonly terms: readonly ((e: Emitter, at: Coordinates) => string)[];
}

/** Sums of no more terms than this are computed by one thread each. */
const FEW = 96;

/** Threads that keep a GPU busy. */
const MANY_THREADS = 2 ** 15;

/** Threads side by side, on elements side by side. */
const LANES = 32;

/** Sums of shape [terms, kept…]. */
export function sums({ over, axes, operands, terms }: Sums): Lowered {
  const kept = over.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const keptShape = kept.map((axis) => over[axis] as number);
  const reduced = [...axes].sort((a, b) => a - b);
  // The last axes, if they are summed over, are what threads side by side read side by side.
  let split = reduced.length;
  while (split > 0 && reduced[split - 1] === over.length - (reduced.length - split) - 1) split--;
  const outer = reduced.slice(0, split);
  const inner = reduced.slice(split);
  const sizes = (list: readonly number[]): Shape => list.map((axis) => over[axis] as number);
  const [blocks, length] = [sizeOf(sizes(outer)), sizeOf(sizes(inner))];
  const results = terms.length * sizeOf(keptShape);

  /** Coordinates in `over` from those of the kept, outer and inner axes. */
  function locate(k: Coordinates, o: Coordinates, i: Coordinates): Coordinates {
    const at = new Array<string>(over.length).fill("0");
    for (const [n, axis] of kept.entries()) at[axis] = k[n] as string;
    for (const [n, axis] of outer.entries()) at[axis] = o[n] as string;
    for (const [n, axis] of inner.entries()) at[axis] = i[n] as string;
    return at;
  }

  /** Adds the term of number `which` to `total`. */
  function addTerm(e: Emitter, which: string, total: string, at: Coordinates): void {
    const add = (term: (e: Emitter, at: Coordinates) => string) => () =>
      e.statement(`${total} += ${term(e, at)};`);
    const [first, ...others] = terms;
    if (first === undefined) return;
    if (others.length === 0) {
      add(first)();
      return;
    }
    for (const [i, term] of terms.entries()) e.when(`${which} === ${i}`, add(term));
  }

  if (blocks * length <= FEW) {
    return loop([terms.length, ...keptShape], operands, (e, [which = "0", ...k]) => {
      const total = e.variable("0");
      e.loop(blocks, (b) =>
        e.loop(length, (i) => {
          const at = locate(k, unflatten(e, b, sizes(outer)), unflatten(e, i, sizes(inner)));
          addTerm(e, which, total, at);
        }),
      );
      return total;
    });
  }

  const lanes = Math.min(LANES, length);
  const turns = Math.ceil(length / lanes);
  const groups = Math.min(blocks, Math.max(1, Math.round(MANY_THREADS / (results * lanes))));
  const each = Math.ceil(blocks / groups);
  const parts = loop([groups, results, lanes], operands, (e, [g = "0", r = "0", lane = "0"]) => {
    const [k, which] = e.divide(r, terms.length, results);
    const total = e.variable("0");
    const kAt = unflatten(e, k, keptShape);
    e.loop(each, (j) => {
      const block = each === 1 ? g : e.name(`${g} * ${each} + ${j}`);
      const inBlock = () =>
        e.loop(turns, (turn) => {
          const i = turns === 1 ? lane : e.name(`${turn} * ${lanes} + ${lane}`);
          const add = () => {
            const at = locate(
              kAt,
              unflatten(e, block, sizes(outer)),
              unflatten(e, i, sizes(inner)),
            );
            addTerm(e, which, total, at);
          };
          if (turns * lanes === length) add();
          else e.when(`${i} < ${length}`, add);
        });
      if (each * groups === blocks) inBlock();
      else e.when(`${block} < ${blocks}`, inBlock);
    });
    return total;
  });
  const summed = sumAxis(parts, 2);
  const total = sumAxis(summed, 0);
  return view([terms.length, ...keptShape], once(total), (e, [which = "0", ...k]) => {
    const flat = flattened(e, k, keptShape);
    return [terms.length === 1 ? flat : e.name(`${flat} * ${terms.length} + ${which}`)];
  });
}

/** Sums over one axis, by one thread for each result. */
function sumAxis(x: Lowered, axis: number): Lowered {
  const count = x.shape[axis] as number;
  const shape = x.shape.filter((_, other) => other !== axis);
  return loop(shape, [{ of: x, access: "spread" }], (e, at) => {
    const total = e.variable("0");
    e.loop(count, (i) => e.statement(`${total} += ${e.read(x, at.toSpliced(axis, 0, i))};`));
    return total;
  });
}

function flattened(e: Emitter, at: Coordinates, shape: Shape): string {
  let flat = "0";
  for (const [axis, coordinate] of at.entries()) {
    const length = shape[axis] as number;
    if (length === 1) continue;
    flat = flat === "0" ? coordinate : e.name(`${flat} * ${length} + ${coordinate}`);
  }
  return flat;
}
