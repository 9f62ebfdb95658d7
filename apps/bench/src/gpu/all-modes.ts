// The table of all modes: what normalization takes on each, beside full BN.

import type { Section } from "../suite.ts";
import { none } from "../words.ts";
import { nameOf, type OpenedMode } from "./measure-mode.ts";

/** @returns undefined where no step was measured. */
export function allModes(
  measured: ReadonlyMap<OpenedMode, readonly Section[]>,
): Section | undefined {
  const rows: string[][] = [];
  const results: Section["results"][number][] = [];
  for (const [mode, sections] of measured) {
    const of = (title: RegExp) => sections.find((section) => title.test(section.title));
    const [step, layer] = [of(/: step: /), of(/: layer /)];
    if (step === undefined) continue;
    const found = (section: Section | undefined, one: string, quantity: string) =>
      section?.results.find((result) => result.case === one && result.quantity === quantity);
    const norms = new Set(step.results.map((result) => result.case));
    norms.delete("none");
    for (const norm of norms) {
      const tax = found(step, norm, "tax")?.value;
      const part = found(step, norm, "tax / bn's tax");
      const saved = found(step, norm, "saved against bn")?.value;
      const alone = found(layer, norm, "forward+backward / bn")?.value;
      rows.push([
        `${nameOf(mode)}${mode.emulated ? " (EMULATION)" : ""}`,
        norm,
        asPercent(tax),
        part?.value.toFixed(2) ?? none,
        asPercent(saved),
        alone?.toFixed(2) ?? none,
      ]);
      if (part !== undefined) {
        results.push({ ...part, case: `${nameOf(mode)} ${norm}` });
      }
    }
  }
  if (rows.length === 0) return undefined;
  return {
    title: "gpu: all modes",
    caption: [
      "Medians from the tables above, where their intervals stand. The layer is one alone, forward and backward.",
    ],
    head: ["mode", "norm", "tax", "/ bn's tax", "step saved against bn", "layer / bn"],
    rows,
    settings: {},
    series: [],
    results,
  };
}

function asPercent(value: number | undefined): string {
  if (value === undefined) return none;
  return `${value < 0 ? "−" : "+"}${Math.abs(100 * value).toFixed(1)}%`;
}
