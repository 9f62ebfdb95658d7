// All that shows one comparison: curves, table, images, statistics.

import type { ComparisonEvent } from "../comparison.ts";
import { createCurves } from "../curves.ts";
import { byId } from "./dom.ts";
import type { Shown } from "./messages.ts";
import { createMismatchTable } from "./mismatch-table.ts";
import { type Axis, createPlot, type Plot, type PlotOptions } from "./plot.ts";
import { createStandingsTable } from "./standings-table.ts";
import { createStrip, type Strip } from "./strip.ts";

export interface Display {
  /** Clears everything for these methods. */
  begin(methods: readonly string[]): void;
  images(shown: Shown): void;
  see(events: readonly ComparisonEvent[]): void;
  setAxis(axis: Axis): void;
}

export function createDisplay(): Display {
  const lossPlot = plotIn("loss-plot", {
    label: "Training loss of each method; the table below has the values",
    top: 2.5,
    most: 4,
    format: (value) => value.toFixed(1),
    reference: { value: Math.log(10), name: "guessing" },
  });
  const accuracyPlot = plotIn("accuracy-plot", {
    label: "Test accuracy of each method; the table below has the values",
    top: 1,
    most: 1,
    format: (value) => `${Math.round(100 * value)} %`,
    reference: { value: 0.1, name: "guessing" },
  });
  let axis: Axis = "images";
  let methods: readonly string[] = [];
  let parts = partsFor(methods);
  let strip: Strip | undefined;
  let drawing = false;
  /** Changes of tables, each of which takes a frame: its layout is most of the work. A newer one replaces one that waits. */
  const changes = new Map<string, () => void>();

  function plotIn(id: string, options: PlotOptions): Plot {
    const host = byId(id);
    const plot = createPlot(host, options);
    new ResizeObserver(([entry]) => {
      plot.resize(entry?.contentRect.width ?? 0);
      draw();
    }).observe(host);
    return plot;
  }

  function change(of: string, what: () => void): void {
    if (changes.size === 0) requestAnimationFrame(changeNext);
    changes.set(of, what);
  }

  function changeNext(): void {
    const [first] = changes;
    if (first === undefined) return;
    first[1]();
    changes.delete(first[0]);
    if (changes.size > 0) requestAnimationFrame(changeNext);
  }

  function draw(): void {
    if (drawing) return;
    drawing = true;
    requestAnimationFrame(() => {
      drawing = false;
      lossPlot.draw(
        parts.curves.map(({ loss }) => loss),
        axis,
      );
      accuracyPlot.draw(
        parts.curves.map(({ accuracy }) => accuracy),
        axis,
      );
    });
  }

  function see(event: ComparisonEvent): void {
    const { standings, mismatch, curves } = parts;
    standings.see(event);
    curves[event.method]?.see(event);
    const { method } = event;
    if (event.type === "ready") {
      change(`layers of ${method}`, () => mismatch.begin(method, event.layers));
    }
    if (event.type === "test") {
      change(`mismatch of ${method}`, () => mismatch.show(method, event.mismatch));
      change(`predictions of ${method}`, () => strip?.show(method, event.predictions));
    }
  }

  return {
    begin(names) {
      methods = names;
      parts = partsFor(names);
      strip = undefined;
      changes.clear();
      draw();
    },
    images(shown) {
      change("images", () => {
        strip = createStrip(methods, shown);
      });
      change("strip", () => strip?.draw());
    },
    see(events) {
      for (const event of events) see(event);
      draw();
    },
    setAxis(wanted) {
      axis = wanted;
      draw();
    },
  };
}

function partsFor(methods: readonly string[]) {
  return {
    standings: createStandingsTable(methods),
    mismatch: createMismatchTable(methods),
    curves: methods.map(createCurves),
  };
}
