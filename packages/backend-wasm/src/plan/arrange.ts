// The order of a program's instructions: what threads must wait for is done early, other work fills the time.

import {
  OP_CONV,
  OP_CONV_INPUT_GRAD,
  OP_CONV_WEIGHT_GRAD,
  OP_CONV_WINOGRAD,
  OP_CONV_WINOGRAD_WEIGHT_GRAD,
} from "../opcodes.ts";
import { type Located, locateAll, mustWait, touch } from "./conflicts.ts";
import type { Instruction } from "./program.ts";

/** How many instructions others may overtake: further ones would only make results live longer. */
const WINDOW = 128;
/** Instructions with so much work, whose operands and results are mostly large as well, stay in their order. */
const LARGE = 2 ** 22;
/** Work by which one thread may lag behind another without anybody waiting, in bytes of memory traffic. */
const LAG = 2 ** 24;
/** What an instruction costs besides, of the same unit. */
const OVERHEAD = 4096;
/** How much longer a convolution takes than a pass over its operands. */
const CONVOLUTION = 6;

const convolutions: ReadonlySet<number> = new Set([
  OP_CONV,
  OP_CONV_INPUT_GRAD,
  OP_CONV_WEIGHT_GRAD,
  OP_CONV_WINOGRAD,
  OP_CONV_WINOGRAD_WEIGHT_GRAD,
]);

/** How much work an instruction is, roughly, as bytes of memory traffic. */
export function workOf({ op, accesses }: Instruction): number {
  const bytes = accesses.reduce(
    (sum, { bytes: all, rows }) =>
      sum + (rows === undefined ? all : (all * rows.count) / rows.map.modulo),
    0,
  );
  return OVERHEAD + bytes * (convolutions.has(op) ? CONVOLUTION : 1);
}

/** What an instruction depends on, by index; with `wait` on what all threads have done of it. */
interface Dependency {
  readonly on: number;
  readonly wait: boolean;
}

/**
 * Orders a program by list scheduling: of the instructions whose dependencies are done, and done long enough ago
 * where threads depend on each other, the one comes next after which threads wait for each other most often. Else
 * the order stays, since results live longer in any other.
 */
export function arrange(instructions: readonly Instruction[], threads: number): Instruction[] {
  if (threads === 1) return [...instructions];
  const dependencies = dependenciesOf(instructions);
  const work = instructions.map(workOf);
  const waits = waitsAfter(dependencies);
  const finished: (number | undefined)[] = instructions.map(() => undefined);
  const order: Instruction[] = [];
  const waiting = instructions.map((_, i) => i);
  let clock = 0;

  /** When no thread has to wait for an instruction; undefined before what it depends on is in the order. */
  function readyAt(i: number): number | undefined {
    let ready = 0;
    for (const { on, wait } of dependencies[i] as Dependency[]) {
      const end = finished[on];
      if (end === undefined) return undefined;
      if (wait) ready = Math.max(ready, end + LAG);
    }
    return ready;
  }

  while (waiting.length > 0) {
    let best = 0;
    let bestReady = Number.POSITIVE_INFINITY;
    let overtakesLarge = false;
    for (let k = 0; k < Math.min(WINDOW, waiting.length); k++) {
      const i = waiting[k] as number;
      if ((work[i] as number) >= LARGE) {
        if (overtakesLarge) continue;
        overtakesLarge = true;
      }
      const ready = readyAt(i);
      if (ready === undefined) continue;
      const at = Math.max(ready, clock);
      const more = (waits[i] as number) > (waits[waiting[best] as number] as number);
      if (at < bestReady || (at === bestReady && more)) {
        best = k;
        bestReady = at;
      }
    }
    const [next] = waiting.splice(best, 1) as [number];
    clock = bestReady + (work[next] as number);
    finished[next] = clock;
    order.push(instructions[next] as Instruction);
  }
  return order;
}

/** How often threads wait for each other, at most, along what depends on each instruction. */
function waitsAfter(dependencies: readonly Dependency[][]): number[] {
  const waits = dependencies.map(() => 0);
  for (let i = dependencies.length - 1; i >= 0; i--) {
    for (const { on, wait } of dependencies[i] as Dependency[]) {
      waits[on] = Math.max(waits[on] as number, (waits[i] as number) + Number(wait));
    }
  }
  return waits;
}

function dependenciesOf(instructions: readonly Instruction[]): Dependency[][] {
  const spaces = new Map<string | number, { readonly i: number; readonly access: Located }[]>();
  return instructions.map((instruction, i) => {
    const found = new Map<number, boolean>();
    for (const access of locateAll(instruction, ({ id }) => ({ space: id, offset: 0 }))) {
      const earlier = spaces.get(access.space) ?? [];
      for (const { i: on, access: other } of earlier) {
        if (on === i || !touch(other, access)) continue;
        found.set(on, found.get(on) === true || mustWait(other, access));
      }
      // What depends on an access that is covered by a later write depends on that write.
      const covered = (other: Located) =>
        access.write &&
        access.rows === undefined &&
        access.begin <= other.begin &&
        other.end <= access.end;
      const kept = earlier.filter(({ i: on, access: other }) => on === i || !covered(other));
      spaces.set(access.space, [...kept, { i, access }]);
    }
    return [...found].map(([on, wait]) => ({ on, wait }));
  });
}
