// How far training and testing lie apart in each layer: a bar for every layer and method.

import { byId, make, setText, swatch } from "./dom.ts";

export interface MismatchTable {
  /** Says which layers a method has statistics of. */
  begin(method: number, layers: readonly string[]): void;
  /** Distances (see MismatchMeter), one for each of these layers. */
  show(method: number, mismatch: readonly number[]): void;
}

/** The distance that fills a bar. */
const full = 1;

interface Cell {
  readonly bar: HTMLElement;
  readonly number: HTMLElement;
}

export function createMismatchTable(methods: readonly string[]): MismatchTable {
  const heads = methods.map((name, i) =>
    make("th", { scope: "col" }, swatch(i), make("code", {}, name)),
  );
  const body = make("tbody");
  byId("mismatch").replaceChildren(
    make("thead", {}, make("tr", {}, make("td", {}), ...heads)),
    body,
  );
  const rows = new Map<string, readonly Cell[]>();
  const layersOf = new Map<number, readonly string[]>();

  function rowOf(layer: string): readonly Cell[] {
    const known = rows.get(layer);
    if (known !== undefined) return known;
    const cells = methods.map((_, i) => {
      const bar = make("span", { class: `bar m${i}` });
      return { bar, number: make("span", { class: "number" }, "–") };
    });
    body.append(
      make(
        "tr",
        { "data-layer": layer },
        make("th", { scope: "row" }, make("code", {}, layer)),
        ...cells.map(({ bar, number }) => make("td", {}, bar, number)),
      ),
    );
    rows.set(layer, cells);
    return cells;
  }

  return {
    begin(method, layers) {
      layersOf.set(method, layers);
      for (const layer of layers) rowOf(layer);
    },
    show(method, mismatch) {
      for (const [k, layer] of (layersOf.get(method) ?? []).entries()) {
        const cell = rowOf(layer)[method];
        const distance = mismatch[k] ?? Number.NaN;
        if (cell === undefined) continue;
        cell.bar.style.inlineSize = `${(100 * Math.min(distance, full)) / full}%`;
        setText(cell.number, Number.isFinite(distance) ? distance.toFixed(2) : "?");
      }
    },
  };
}
