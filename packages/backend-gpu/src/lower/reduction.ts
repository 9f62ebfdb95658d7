// Sums over some of a tensor's axes, in stages: a kernel has one thread for each element of its result, so that a
// sum of many elements into few first goes into many parts.

import { type Shape, sizeOf } from "@fewnorm/tensor";
import type { Emitter } from "../kernel/emitter.ts";
import { MOST_COUNTED, unflatten } from "../kernel/threads.ts";
import type { Coordinates, Lowered, Operand } from "../lowered.ts";
import { loop, spread } from "./lowering.ts";

/** What is summed. */
export interface Sums {
  /** The shape that is summed over, and those of its axes that disappear. */
  readonly over: Shape;
  readonly axes: readonly number[];
  readonly operands: readonly Operand[];
  /** How many sums there are of the same elements. */
  readonly count: number;
  /** Begins sums at these coordinates of the axes that stay, and says what is added to them. */
  begin(e: Emitter, kept: Coordinates): Terms;
}

/** The terms at these coordinates of the sums of these numbers, of which one may be a name. */
export type Terms = (which: readonly string[], at: Coordinates) => string[];

/** What one thread sums by itself; of a single sum, for which all others would wait, less. */
const FEW = 128;
const FEW_OF_ONE = 16;

/** Threads of the first stage of a large sum: more would leave more to the last one. */
const MANY_THREADS = 2 ** 15;

/** Threads side by side, on elements side by side. */
const LANES = 32;
const FEWEST_LANES = 16;

/** Sums in the making. */
export interface Partials {
  /** What the last stage reads. */
  readonly operands: readonly Operand[];
  /** The shape of the axes that stay. */
  readonly kept: Shape;
  /** The last stage: the sums of these numbers, of which one may be a name, at these coordinates of the axes that stay. */
  total(e: Emitter, which: readonly string[], at: Coordinates): string[];
}

export function sums(wanted: Sums): Partials {
  const { over, axes, operands, count } = wanted;
  const places = placesOf(over, axes);
  const { blocks, length } = places;

  const results = count * sizeOf(places.kept);
  if (blocks * length <= (results === 1 ? FEW_OF_ONE : FEW)) {
    return {
      operands,
      kept: places.kept,
      total(e, which, k) {
        const terms = wanted.begin(e, k);
        const totals = which.map(() => e.variable("0"));
        e.loop(blocks, (b) =>
          e.loop(length, (i) => {
            for (const [j, term] of terms(which, places.locate(e, k, b, i)).entries()) {
              e.statement(`${totals[j]} += ${term};`);
            }
          }),
        );
        return totals;
      },
    };
  }

  const wide = Math.min(LANES, length);
  const groups = Math.min(blocks, Math.max(1, Math.round(MANY_THREADS / (results * wide))));
  // Of few elements, about as many are summed in one stage as in the other.
  const even = 2 ** Math.round(Math.log2(Math.sqrt(blocks * length) / groups));
  const lanes = groups === blocks ? Math.min(wide, Math.max(FEWEST_LANES, even)) : wide;
  const turns = Math.floor(length / lanes);
  const each = Math.ceil(blocks / groups);
  const parts = loop([groups, results, lanes], operands, (e, [g = "0", r = "0", lane = "0"]) => {
    const [k, which] = e.divide(r, count, results);
    const at = unflatten(e, k, places.kept);
    const terms = wanted.begin(e, at);
    const total = e.variable("0");
    e.loop(each, (j) => {
      const block = each === 1 ? g : e.name(`${g} * ${each} + ${j}`);
      const add = (i: string) =>
        e.statement(`${total} += ${terms([which], places.locate(e, at, block, i))};`);
      const addBlock = () => {
        e.loop(turns, (turn) => add(turns === 1 ? lane : e.name(`${turn} * ${lanes} + ${lane}`)));
        const rest = length - turns * lanes;
        if (rest > 0) e.when(`${lane} < ${rest}`, () => add(e.name(`${turns * lanes} + ${lane}`)));
      };
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
      const sums = which.map((one) => {
        const first = flat === "0" || count === 1 ? "0" : `${flat} * ${count}`;
        const result = count === 1 ? flat : first === "0" ? one : e.name(`${first} + ${one}`);
        return { result, sum: e.variable("0") };
      });
      e.loop(groups, (g) => {
        const addAll = (...lane: string[]) => {
          for (const { result, sum } of sums) {
            e.statement(`${sum} += ${e.read(last, [g, result, ...lane])};`);
          }
        };
        if (last === parts) e.loop(lanes, (i) => addAll(i));
        else addAll();
      });
      return sums.map(({ sum }) => sum);
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
  const sizes = (list: readonly number[]): Shape => list.map((axis) => over[axis] as number);
  while (sizeOf(sizes(reduced.slice(split))) > MOST_COUNTED) split++;
  const [outer, inner] = [reduced.slice(0, split), reduced.slice(split)];
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
