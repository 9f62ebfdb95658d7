// The order of a program's instructions: as many as possible between two barriers.

import { type Located, locateAll, mustWait, someOf, touch } from "./conflicts.ts";
import type { Instruction } from "./program.ts";

/** How many instructions that have to wait others may overtake: further ones would only make results live longer. */
const WINDOW = 64;

/** Instructions between which no thread has to wait for another. */
export type Stretch = readonly Instruction[];

/**
 * Divides a program into stretches with barriers between them. An instruction goes into the first stretch where
 * everything that it needs is there, past others that have to wait and that it does not depend on.
 */
export function arrange(instructions: readonly Instruction[]): Stretch[] {
  const located = instructions.map((instruction) =>
    locateAll(instruction, ({ id }) => ({ space: id, offset: 0 })),
  );
  const stretches: Stretch[] = [];
  let waiting = instructions.map((_, i) => i);
  while (waiting.length > 0) {
    const { taken, left } = takeStretch(waiting, located);
    stretches.push(taken.map((i) => instructions[i] as Instruction));
    waiting = left;
  }
  return stretches;
}

function takeStretch(waiting: readonly number[], located: readonly Located[][]) {
  const taken: number[] = [];
  const left: number[] = [];
  const pending: Located[] = [];
  const overtaken: Located[] = [];
  let next = 0;
  for (; next < waiting.length && left.length < WINDOW; next++) {
    const i = waiting[next] as number;
    const own = located[i] as Located[];
    if (someOf(mustWait, pending, own) || someOf(touch, overtaken, own)) {
      left.push(i);
      overtaken.push(...own);
    } else {
      taken.push(i);
      pending.push(...own);
    }
  }
  return { taken, left: [...left, ...waiting.slice(next)] };
}
