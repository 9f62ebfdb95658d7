// Curves as SVG, with axes that grow with them.

import { grouped } from "../grouped.ts";
import type { Point, Series } from "../series.ts";

/** What the horizontal axis counts. */
export type Axis = "images" | "seconds";

export interface PlotOptions {
  /** What the vertical axis is, for those who do not see it. */
  readonly label: string;
  /** The vertical axis goes from 0 to the largest value, but to `top` at least and `most` at most. */
  readonly top: number;
  readonly most: number;
  readonly format: (value: number) => string;
  /** A value that a horizontal line is drawn at, and its name. */
  readonly reference: { readonly value: number; readonly name: string };
}

export interface Plot {
  /** One curve for each method, in the methods' order. */
  draw(curves: readonly Series[], axis: Axis): void;
  /** The next drawing is so wide, in CSS pixels; asking the page would have it laid out in the midst of a frame. */
  resize(width: number): void;
}

const margin = { left: 44, right: 24, top: 8, bottom: 36 };

/** A plot in `host`. */
export function createPlot(host: HTMLElement, options: PlotOptions): Plot {
  const { label, top, most, format, reference } = options;
  const svg = element("svg", { role: "img", "aria-label": label });
  const grid = element("g", { class: "grid" });
  const marks = element("g", { class: "reference" });
  const lines = element("g", { class: "curves" });
  svg.append(grid, marks, lines);
  host.replaceChildren(svg);
  let drawn = "";
  let width = 240;
  const height = 230;

  /** Where values lie, and the ends of the axes, in pixels. */
  function scale(spanX: number, spanY: number) {
    const [right, bottom] = [width - margin.right, height - margin.bottom];
    return {
      right,
      bottom,
      across: (x: number) => margin.left + ((right - margin.left) * x) / spanX,
      up: (y: number) => bottom - ((bottom - margin.top) * y) / spanY,
    };
  }

  /** Axes are made anew only where they change. */
  function drawAxes(spanX: number, spanY: number, axis: Axis): void {
    const state = [width, spanX, spanY, axis].join();
    if (state === drawn) return;
    drawn = state;
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const { right, bottom, across, up } = scale(spanX, spanY);
    const nodes: SVGElement[] = [];
    for (const y of ticks(spanY, 5)) {
      nodes.push(line(margin.left, up(y), right, up(y)));
      nodes.push(text(margin.left - 6, up(y) + 4, format(y), "end"));
    }
    for (const x of ticks(spanX, width < 400 ? 3 : 6)) {
      nodes.push(line(across(x), bottom, across(x), bottom + 4));
      // Long numbers at the right end would be cut off.
      const anchor = across(x) > right - 20 ? "end" : "middle";
      nodes.push(text(across(x), bottom + 16, grouped(x), anchor));
    }
    const unit = axis === "images" ? "training images" : "seconds of each method's own steps";
    nodes.push(text((margin.left + right) / 2, height - 4, unit, "middle"));
    grid.replaceChildren(...nodes);
    marks.replaceChildren(
      line(margin.left, up(reference.value), right, up(reference.value)),
      text(right, up(reference.value) - 4, reference.name, "end"),
    );
  }

  return {
    draw(curves, axis) {
      const all = curves.flatMap(({ points }) => points);
      const spanX = roundUp(
        all.reduce((far, point) => Math.max(far, point[axis]), 0),
        axis,
      );
      const highest = all.reduce((far, { value }) => Math.max(far, value), top);
      const spanY = Math.min(most, Math.ceil(2 * highest) / 2);
      drawAxes(spanX, spanY, axis);
      const { across, up } = scale(spanX, spanY);
      const place = (point: Point) =>
        `${across(point[axis]).toFixed(1)} ${up(Math.min(point.value, spanY)).toFixed(1)}`;
      while (lines.children.length > curves.length) lines.lastChild?.remove();
      for (const [i, { points }] of curves.entries()) {
        const path = lines.children[i] ?? lines.appendChild(element("path", { class: `m${i}` }));
        const way = points.length === 0 ? "" : `M${points.map(place).join("L")}`;
        if (path.getAttribute("d") !== way) path.setAttribute("d", way);
      }
    },
    resize(wide) {
      width = Math.max(240, wide);
    },
  };
}

/** Where an axis ends: at a number that is easy to read, so that it does not move with every point. */
function roundUp(value: number, axis: Axis): number {
  const least = axis === "images" ? 1000 : 5;
  if (value <= least) return least;
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((m) => m * unit).find((end) => end >= value) ?? value;
}

/** From 0 on, at steps of 1, 2 or 5 times a power of ten, about `count` of them. */
function ticks(span: number, count: number): number[] {
  const rough = span / count;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((m) => m * unit >= rough) ?? 10) * unit;
  // The small excess keeps the last tick where division rounds.
  return Array.from({ length: Math.floor(span / step + 1e-9) + 1 }, (_, i) => i * step);
}

function element(name: string, attributes: Readonly<Record<string, string>>): SVGElement {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

const line = (x1: number, y1: number, x2: number, y2: number): SVGElement =>
  element("line", { x1: `${x1}`, y1: `${y1}`, x2: `${x2}`, y2: `${y2}` });

function text(x: number, y: number, content: string, anchor: string): SVGElement {
  const node = element("text", { x: `${x}`, y: `${y}`, "text-anchor": anchor });
  node.textContent = content;
  return node;
}
