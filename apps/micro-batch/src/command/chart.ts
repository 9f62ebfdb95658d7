// Curves as text: a sign for each, in columns and lines of characters.

import { grouped } from "../grouped.ts";
import type { Point, Series } from "../series.ts";

/** Signs of the curves, in the methods' order; colours are added where there are any. */
export const signs: readonly string[] = ["●", "▲", "■", "◆"];

export interface ChartOptions {
  readonly title: string;
  readonly columns: number;
  readonly lines: number;
  /** Images at the right end. */
  readonly images: number;
  /** The value at the top; what is above is drawn there. */
  readonly top: number;
  readonly format: (value: number) => string;
  /** A sign in its curve's colour. */
  readonly paint: (method: number, sign: string) => string;
}

/** The chart's lines: title, curves with the axis at the left, and the horizontal axis. */
export function chart(curves: readonly Series[], options: ChartOptions): string[] {
  const { title, columns, lines, images, top, format, paint } = options;
  const labels = [format(top), format(top / 2), format(0)];
  const gutter = Math.max(...labels.map((label) => label.length));
  const width = Math.max(10, columns - gutter - 2);
  const grid = Array.from({ length: lines }, () => Array<string>(width).fill(" "));
  for (const [method, { points }] of curves.entries()) {
    for (const [column, value] of columnsOf(points, images, width)) {
      const line = grid[lines - 1 - Math.round((lines - 1) * Math.min(1, value / top))];
      if (line !== undefined) line[column] = paint(method, signs[method] ?? "*");
    }
  }
  const label = (i: number): string => {
    if (i === 0) return labels[0] ?? "";
    if (i === Math.floor((lines - 1) / 2)) return labels[1] ?? "";
    return i === lines - 1 ? (labels[2] ?? "") : "";
  };
  const end = `${grouped(images)} images`;
  return [
    title,
    ...grid.map((line, i) => `${label(i).padStart(gutter)} ┤${line.join("")}`.trimEnd()),
    `${" ".repeat(gutter + 1)}└${"─".repeat(Math.max(0, width - end.length - 1))} ${end}`,
  ];
}

/** The curve's value in each column from its first point's to its last one's, on straight lines between the points. */
function columnsOf(
  points: readonly Point[],
  images: number,
  width: number,
): readonly (readonly [column: number, value: number])[] {
  const columnOf = (point: Point) =>
    Math.min(width - 1, Math.floor((width * point.images) / images));
  return points.flatMap((point, i) => {
    const [before, to] = [points[i - 1] ?? point, columnOf(point)];
    const from = columnOf(before);
    return Array.from({ length: Math.max(1, to - from) }, (_, k): [number, number] => {
      const share = to === from ? 1 : (k + 1) / (to - from);
      return [Math.min(to, from + k + 1), before.value + share * (point.value - before.value)];
    });
  });
}
