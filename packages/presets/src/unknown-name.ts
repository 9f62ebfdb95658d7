// The message for a name that there is not.

import { closest, distance } from "fastest-levenshtein";

/** The name nearest to `text`, if it is near enough to be meant. */
export function nearestName(text: string, names: readonly string[]): string | undefined {
  const written = text.toLowerCase();
  const swapped = names.find((name) => letters(name) === letters(written));
  if (swapped !== undefined) return swapped;
  const name = closest(written, names);
  return distance(written, name) <= Math.max(1, name.length / 3) ? name : undefined;
}

const letters = (name: string): string => [...name].sort().join("");

/** `there is no KIND "TEXT", did you mean "…"?`, the question only where something is near. */
export function unknownName(kind: string, text: string, names: readonly string[]): string {
  const near = nearestName(text, names);
  return `there is no ${kind} "${text}"${near === undefined ? "" : `, did you mean "${near}"?`}`;
}

/** The problem and what there is instead, as one line: `… "bz:4", did you mean "bs:4"? Norms are …`. */
export function withChoices(problem: string, choices: string): string {
  if (!problem.endsWith("?")) return `${problem}; ${choices}`;
  return `${problem} ${choices.charAt(0).toUpperCase()}${choices.slice(1)}`;
}
