// Sums over some of a tensor's axes, in stages: a kernel has one thread for each element of its result, so that a
// sum of many elements into few first goes into many parts.

import { type Shape, sizeOf } from "@fewnorm/tensor";
import type { Emitter } from "../kernel/emitter.ts";
import { unflatten } from "../kernel/threads.ts";
import type { Coordinates, Lowered, Operand } from "../lowered.ts";
import { loop, spread } from "./lowering.ts";

/** What is summed. */
export interface Sums {
  /** The shape that is summed over, and those of its axes that disappear. */
  readonly over: Shape;
  readonly axes: readonly number[];
  readonly operands: readonly Operand[];
  /** The terms at these coordinates, of one sum or of several. */
  readonly terms: readonly ((e: Emitter, at: Coordinates) => string)[];
}

/** What one thread sums by itself. */
const FEW = 128;

/** Threads that keep a GPU busy. */
const MANY_THREADS = 2 ** 15;

/** Threads side by side, on elements side by side. */
const LANES = 32;

/** Sums in the making. */
export interface Partials {
  /** What the last stage reads. */
  readonly operands: readonly Operand[];
  /** The shape of the axes that stay. */
  readonly kept: Shape;
  /** The last stage: the expression of the sum of number `which` at these coordinates of the axes that stay. */
  total(e: Emitter, which: string, at: Coordinates): string;
}

export function sums(wanted: Sums): Partials {
  const { over, axes, operands, terms } = wanted;
  const places = placesOf(over, axes);
  const { blocks, length } = places;

  /** Adds the term of number `which` to `total`. */
  function addTerm(e: Emitter, which: string, total: string, at: Coordinates): void {
    const add = (index: number) => {
      const term = terms[index] as (typeof terms)[number];
      e.statement(`${total} += ${term(e, at)};`);
    };
    const known = terms.length === 1 ? 0 : Number(which);
    if (!Number.isNaN(known)) add(known);
    else for (const i of terms.keys()) e.when(`${which} === ${i}`, () => add(i));
  }

  if (blocks * length <= FEW) {
    return {
      operands,
      kept: places.kept,
      total(e, which, k) {
        const total = e.variable("0");
        e.loop(blocks, (b) =>
          e.loop(length, (i) => addTerm(e, which, total, places.locate(e, k, b, i))),
        );
        return total;
      },
    };
  }

  const results = terms.length * sizeOf(places.kept);
  const lanes = Math.min(LANES, length);
  const turns = Math.ceil(length / lanes);
  const groups = Math.min(blocks, Math.max(1, Math.round(MANY_THREADS / (results * lanes))));
  const each = Math.ceil(blocks / groups);
  const parts = loop([groups, results, lanes], operands, (e, [g = "0", r = "0", lane = "0"]) => {
    const [k, which] = e.divide(r, terms.length, results);
    const total = e.variable("0");
    const at = unflatten(e, k, places.kept);
    e.loop(each, (j) => {
      const block = each === 1 ? g : e.name(`${g} * ${each} + ${j}`);
      const addBlock = () =>
        e.loop(turns, (turn) => {
          const i = turns === 1 ? lane : e.name(`${turn} * ${lanes} + ${lane}`);
          const add = () => addTerm(e, which, total, places.locate(e, at, block, i));
          if (turns * lanes === length) add();
          else e.when(`${i} < ${length}`, add);
        });
      if (each * groups === blocks) addBlock();
      else e.when(`${block} < ${blocks}`, addBlock);
    });
    return total;
  });
  const last = groups * lanes > FEW ? sumLast(parts) : parts;
  return {
    operands: [spread(last)],
    kept: places.kept,
    total(e, which, k) {
      const flat = flattened(e, k, places.kept);
      const result =
        terms.length === 1
          ? flat
          : flat === "0"
            ? which
            : e.name(`${flat} * ${terms.length} + ${which}`);
      const total = e.variable("0");
      e.loop(groups, (g) => {
        if (last !== parts) e.statement(`${total} += ${e.read(last, [g, result])};`);
        else e.loop(lanes, (i) => e.statement(`${total} += ${e.read(last, [g, result, i])};`));
      });
      return total;
    },
  };
}

/** The elements of a sum, as `length` of the last axes in each of `blocks` of the others that are summed over. */
function placesOf(over: Shape, axes: readonly number[]) {
  const kept = over.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const reduced = [...axes].sort((a, b) => a - b);
  // What threads side by side read side by side.
  let split = reduced.length;
  while (split > 0 && reduced[split - 1] === over.length - 1 - (reduced.length - split)) split--;
  const [outer, inner] = [reduced.slice(0, split), reduced.slice(split)];
  const sizes = (list: readonly number[]): Shape => list.map((axis) => over[axis] as number);
  return {
    kept: sizes(kept),
    blocks: sizeOf(sizes(outer)),
    length: sizeOf(sizes(inner)),
    /** Coordinates in `over`. */
    locate(e: Emitter, at: Coordinates, block: string, i: string): Coordinates {
      const result = new Array<string>(over.length).fill("0");
      const put = (list: readonly number[], coordinates: Coordinates) => {
        for (const [n, axis] of list.entries()) result[axis] = coordinates[n] as string;
      };
      put(kept, at);
      put(outer, unflatten(e, block, sizes(outer)));
      put(inner, unflatten(e, i, sizes(inner)));
      return result;
    },
  };
}

/** Sums over the last axis, by one thread for each result. */
function sumLast(x: Lowered): Lowered {
  const count = x.shape.at(-1) as number;
  return loop(x.shape.slice(0, -1), [spread(x)], (e, at) => {
    const total = e.variable("0");
    e.loop(count, (i) => e.statement(`${total} += ${e.read(x, [...at, i])};`));
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
