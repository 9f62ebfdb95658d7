// The table of methods: the curves' legend, and how each stands.

import type { ComparisonEvent } from "../comparison.ts";
import { grouped } from "../grouped.ts";
import { byId, make, setText, swatch } from "./dom.ts";

export interface StandingsTable {
  see(event: ComparisonEvent): void;
}

/** In the order of the columns: what matters most is seen on a narrow screen, too. */
const fields = ["accuracy", "loss", "images", "rate", "memory"] as const;
type Field = (typeof fields)[number];

/** An empty table for these methods. */
export function createStandingsTable(methods: readonly string[]): StandingsTable {
  const rows = methods.map((name, i) => {
    const cells = Object.fromEntries(
      fields.map((field) => [field, make("td", { "data-field": field }, "–")]),
    ) as Record<Field, HTMLTableCellElement>;
    const head = make("th", { scope: "row" }, swatch(i), make("code", {}, name));
    const row = make("tr", { "data-method": name }, head, ...fields.map((field) => cells[field]));
    return { row, cells };
  });
  byId("standings").replaceChildren(...rows.map(({ row }) => row));

  return {
    see(event) {
      const shown = rows[event.method];
      if (shown === undefined) return;
      const { row, cells } = shown;
      switch (event.type) {
        case "ready":
          setText(cells.memory, `${(event.memoryBytes / 2 ** 20).toFixed(1)} MiB`);
          break;
        case "step":
          setText(cells.images, grouped(event.images));
          setText(cells.rate, `${grouped(event.images / event.seconds)}/s`);
          break;
        case "test":
          setText(cells.loss, event.loss.toFixed(2));
          setText(cells.accuracy, `${(100 * event.accuracy).toFixed(1)} %`);
          break;
        case "failed": {
          const message = make(
            "div",
            { role: "alert" },
            `${methods[event.method]} ${event.message}`,
          );
          const cell = make("td", { colspan: `${fields.length + 1}`, class: "failed" }, message);
          row.after(make("tr", { "data-failed": methods[event.method] ?? "" }, cell));
          break;
        }
      }
    },
  };
}
