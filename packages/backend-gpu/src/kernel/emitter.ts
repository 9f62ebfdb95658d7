// Writes the text of one kernel. Every value gets a name once, as far out of the loops as it can stand.

import { sizeOf, stridesOf } from "@fewnorm/tensor";
import type { Coordinates, Lowered, Place } from "../lowered.ts";
import { axesOf, type LaneAxis, type Lanes, lanesOf, NO_PICK } from "./lanes.ts";
import { checkCounted, MOST_COUNTED } from "./threads.ts";

/** factor · value, in a sum. */
interface Term {
  readonly factor: number;
  readonly value: string;
}

/** A block of statements that is being written. */
interface Block {
  readonly kind: "kernel" | "loop" | "branch";
  /** How often its statements run. */
  readonly turns: number;
  readonly statements: string[];
  /** Names by the expression that they stand for. */
  readonly known: Map<string, string>;
  /** Its statements are those of one lane, to be written once for each when it ends. */
  readonly inLane: boolean;
}

export interface Emitter {
  /** The element of an operation at these coordinates: computed here, or read from the array that holds it. */
  read(of: Lowered, at: Coordinates): string;
  /** The dynamic integer of this slot. */
  slot(index: number): string;
  /** A name for an expression without side effects. */
  name(expression: string): string;
  /** A variable that holds a number. */
  variable(initial: string): string;
  statement(text: string): void;
  /** Repeats `body` for 0 … count − 1. */
  loop(count: number, body: (i: string) => void): void;
  /** `body` where the condition holds. */
  when(condition: string, body: () => void): void;
  /** The value of the first case whose condition holds; the last case has none. */
  choose(cases: readonly { readonly when?: string; value(): string }[]): string;
  /** Whether a thread computes several elements. */
  readonly hasLanes: boolean;
  /** A coordinate that differs from lane to lane: `first`, and `step` more for each further one of this axis. */
  spread(first: string, axis: LaneAxis, step: number): string;
  /** Of a coordinate in lanes side by side along B: that of the first one, and how many there are. */
  sideBySide(coordinate: string): { readonly first: string; readonly count: number } | undefined;
  /** In each lane along B another of these names; where there is none, a lane leaves out the statement. */
  pick(values: readonly (string | undefined)[]): string;
  /**
   * ⌊a / b⌋ and the remainder, for 0 ≤ a ≤ `largest`.
   * @throws Error where it is too large to be exact.
   */
  divide(a: string, b: number, largest: number): readonly [quotient: string, rest: string];
}

/** The arrays that a kernel reads, by the operation whose result they begin with, and their names in the text. */
export type Arrays = Map<Lowered, string>;

/** What an array's index is computed in: `float` is what variables are in every mode of gpu.js. */
export type IndexArithmetic = "float" | "integer";

export interface EmitterOptions {
  readonly indices: IndexArithmetic;
  /** Elements that a thread computes side by side, sharing what they have in common. */
  readonly lanes: Lanes;
  /** Where an operation's result lies; undefined if no array holds it. */
  placeOf(of: Lowered): Place | undefined;
  readonly slots: Lowered;
}

/** Numbers are exact up to here in a division; beyond, its result has to be put right. */
const SAFE_DIVIDEND = 2 ** 20;

export function createEmitter({ placeOf, slots, indices, lanes }: EmitterOptions) {
  const arrays: Arrays = new Map();
  const allAxes = `${lanes.A > 1 ? "A" : ""}${lanes.B > 1 ? "B" : ""}`;
  const blocks: Block[] = [
    { kind: "kernel", turns: 1, statements: [], known: new Map(), inLane: allAxes === "" },
  ];
  /** Coordinates that differ from lane to lane. */
  const spreads = new Map<string, { first: string; axis: LaneAxis; step: number }>();
  /** What names stand for. */
  const definitions = new Map<string, string>();
  /** How many blocks enclose a name's definition. */
  const depths = new Map<string, number>();
  let names = 0;
  let work = 0;
  let works: readonly number[] = [];

  const depthOf = (expression: string): number => {
    let depth = 0;
    for (const [name] of expression.matchAll(/\b[tvif]\d+A?B?\b/g)) {
      depth = Math.max(depth, depths.get(name) ?? 0);
    }
    return depth;
  };

  function fresh(letter: string, depth: number, axes = ""): string {
    const name = `${letter}${names++}${axes}`;
    depths.set(name, depth);
    return name;
  }

  function write(text: string, block = blocks.at(-1) as Block): void {
    const texts = block.inLane ? [text] : lanesOf(text, lanes);
    block.statements.push(...texts);
    work += block.turns * texts.length;
  }

  function nameAt(expression: string, depth: number): string {
    for (let i = depth; i < blocks.length; i++) {
      const known = blocks[i]?.known.get(expression);
      if (known !== undefined) return known;
    }
    const block = blocks[depth] as Block;
    const name = fresh("t", depth, axesOf(expression));
    write(`const ${name} = ${expression};`, block);
    block.known.set(expression, name);
    definitions.set(name, expression);
    return name;
  }

  /** Reads may not leave a branch: the index is only right inside. */
  const innermostBranch = (): number => blocks.findLastIndex(({ kind }) => kind !== "loop");

  function within(kind: Block["kind"], count: number, body: () => void, inLane = false): string {
    const outer = blocks.at(-1) as Block;
    const block: Block = {
      kind,
      turns: count * outer.turns,
      statements: [],
      known: new Map(),
      inLane: outer.inLane || inLane,
    };
    blocks.push(block);
    body();
    blocks.pop();
    return block.statements.join("\n");
  }

  /** What a loop counts, in integers. */
  const isCounter = (value: string): boolean => /^i\d+$/.test(value);

  const isPlain = (expression: string): boolean => /^(-?\d+|[tvif]\d+A?B?)$/.test(expression);

  /** The element's index: Σ coordinate · stride, and the offset. */
  function indexOf(at: Coordinates, of: Lowered, offset: number): string {
    const strides = stridesOf(of.shape);
    const isExact = offset + sizeOf(of.shape) <= MOST_COUNTED;
    let constant = offset;
    const steps = { A: 0, B: 0 };
    const factors = new Map<string, number>();
    for (const [axis, coordinate] of at.entries()) {
      if (of.shape[axis] === 1) continue;
      const spread = spreads.get(coordinate);
      if (spread !== undefined) steps[spread.axis] += spread.step * (strides[axis] as number);
      for (const { factor, value } of termsOf(spread?.first ?? coordinate)) {
        const times = factor * (strides[axis] as number);
        const known = Number(value);
        if (Number.isNaN(known)) factors.set(value, (factors.get(value) ?? 0) + times);
        else constant += known * times;
      }
    }
    /** What names stand for, by how deep in loops; and, of integers, what loops count. */
    const named: string[][] = [];
    const counted: string[] = [];
    for (const [value, factor] of factors) {
      // A quotient and its remainder may be one number again.
      if (factor === 0) continue;
      const timesFactor = (text: string) => (factor === 1 ? text : `${text} * ${factor}`);
      const text = timesFactor(value);
      if (indices === "integer" && isCounter(value)) counted.push(text);
      else if (!isExact) counted.push(timesFactor(`(${value} | 0)`));
      else {
        const depth = depthOf(value);
        named[depth] = [...(named[depth] ?? []), text];
      }
    }
    let sum: string[] = [];
    for (const [depth, level] of named.entries()) {
      if (level === undefined) continue;
      const text = (indices === "integer" ? level : [...sum, ...level]).join(" + ");
      const name = isPlain(text) ? text : nameAt(text, depth);
      // Names are floats. A GPU takes long to make an integer of one, and does it where the name stands.
      if (indices === "integer") sum.push(`(${name} | 0)`);
      else sum = [name];
    }
    sum.push(...counted);
    if (steps.A + steps.B > 0) {
      return [...sum, `lane(${constant}, ${steps.A}, ${steps.B})`].join(" + ");
    }
    // gpu.js takes the sum of two literals for no index.
    if (constant < 0) return `${sum.join(" + ")} - ${-constant}`;
    if (constant > 0 || sum.length === 0) sum.push(String(constant));
    return sum.join(" + ");
  }

  /**
   * Integers: a coordinate that depends on what loops count, as a sum of such and of other names. A variable may have
   * changed since it was added.
   */
  function termsOf(coordinate: string): readonly Term[] {
    const itself = [{ factor: 1, value: coordinate }];
    if (indices === "float") return itself;
    const terms: Term[] = [];
    for (const part of (definitions.get(coordinate) ?? "").split(/ (?=[+-] )/)) {
      const [, sign, value, times] = /^(?:([+-]) )?(\S+)(?: \* (\d+))?$/.exec(part) ?? [];
      if (value === undefined || !isPlain(value) || value.startsWith("v")) return itself;
      const factor = Number(times ?? 1) * (sign === "-" ? -1 : 1);
      for (const inner of termsOf(value)) {
        terms.push({ factor: factor * inner.factor, value: inner.value });
      }
    }
    return terms.some(({ value }) => isCounter(value)) ? terms : itself;
  }

  const emitter: Emitter = {
    read(of, at) {
      const place = of.kind === "number" ? undefined : placeOf(of);
      if (place === undefined) return of.emit(emitter, at);
      const array = arrays.get(place.array) ?? `a${arrays.size}`;
      arrays.set(place.array, array);
      const expression = `${array}[${indexOf(at, of, place.offset)}]`;
      const depth = Math.max(depthOf(expression), innermostBranch());
      return nameAt(expression, depth);
    },
    slot: (index) => emitter.read(slots, [String(index)]),
    name: (expression) =>
      isPlain(expression) ? expression : nameAt(expression, depthOf(expression)),
    variable(initial) {
      const depth = blocks.length - 1;
      const name = fresh("v", depth, allAxes);
      write(`let ${name} = ${initial};`);
      return name;
    },
    statement: (text) => write(text),
    loop(count, body) {
      if (count === 1) {
        body("0");
        return;
      }
      const i = fresh("i", blocks.length);
      const text = within("loop", count, () => body(i));
      write(`for (let ${i} = 0; ${i} < ${count}; ${i}++) {\n${text}\n}`);
    },
    when(condition, body) {
      const text = within("branch", 1, body, axesOf(condition) !== "");
      emitter.statement(`if (${condition}) {\n${text}\n}`);
    },
    choose(cases) {
      const [only] = cases;
      if (cases.length === 1 && only !== undefined) return only.value();
      const result = emitter.variable("0");
      const inLane = cases.some(({ when = "" }) => axesOf(when) !== "");
      const before = cases.map(() => 0);
      const texts = cases.map(({ when, value }, i) => {
        before[i] = work;
        const assign = () => emitter.statement(`${result} = ${value()};`);
        const body = within("branch", 1, assign, inLane);
        return when === undefined ? `{\n${body}\n}` : `if (${when}) {\n${body}\n}`;
      });
      emitter.statement(texts.join(" else "));
      if (blocks.length === 1) works = before.map((at, i) => (before[i + 1] ?? work) - at);
      return result;
    },
    hasLanes: allAxes !== "",
    spread(first, axis, step) {
      if (lanes[axis] === 1) return first;
      const steps = axis === "A" ? `${step}, 0` : `0, ${step}`;
      const name = emitter.name(`${first === "0" ? "" : `${first} + `}lane(0, ${steps})`);
      spreads.set(name, { first, axis, step });
      return name;
    },
    sideBySide(coordinate) {
      const { first, axis, step } = spreads.get(coordinate) ?? {};
      return first !== undefined && axis === "B" && step === 1
        ? { first, count: lanes.B }
        : undefined;
    },
    pick: (values) => `pick(${values.map((one) => one ?? NO_PICK).join(", ")})`,
    divide(a, b, largest) {
      if (b === 1) return [a, "0"];
      if (largest < b) return ["0", a];
      const value = Number(a);
      if (!Number.isNaN(value)) return [String(Math.floor(value / b)), String(value % b)];
      checkCounted(largest + 1);
      const isPowerOfTwo = Number.isInteger(Math.log2(b));
      let quotient: string;
      if (isPowerOfTwo) {
        quotient = emitter.name(`Math.floor(${a} * ${1 / b})`);
      } else {
        // Division on a GPU may be off by some units in the last place; half a step keeps clear of the edge.
        quotient = emitter.name(`Math.floor((${a} + 0.5) / ${b})`);
        if (largest >= SAFE_DIVIDEND) {
          const rest = emitter.name(`${a} - ${quotient} * ${b}`);
          quotient = emitter.name(
            `${rest} < 0 ? ${quotient} - 1 : (${rest} >= ${b} ? ${quotient} + 1 : ${quotient})`,
          );
        }
      }
      return [quotient, emitter.name(`${a} - ${quotient} * ${b}`)];
    },
  };
  return {
    emitter,
    arrays,
    statements: (): string => (blocks[0] as Block).statements.join("\n"),
    /** Statements that a thread runs; where it takes one branch of several, of all. */
    work: (): number => work,
    /** Those of each case of the last choice outside of loops and branches. */
    works: (): readonly number[] => works,
  };
}
