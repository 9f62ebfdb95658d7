// Test images, and what each method takes them for.

import type { Prediction } from "../contestant.ts";
import { byId, make, setText, swatch } from "./dom.ts";
import type { Shown } from "./messages.ts";

export interface Strip {
  /** Draws the images, apart from making the table, so that each can have a frame of its own. */
  draw(): void;
  /** Predictions of one method, one for each image. */
  show(method: number, predictions: readonly Prediction[]): void;
}

/** Room for the images, with nothing under them yet. */
export function createStrip(methods: readonly string[], shown: Shown): Strip {
  const { classes, labels } = shown;
  const truth = (i: number) => classes[labels[i] ?? 0] ?? "?";
  const pictures = labels.map(() => emptyPicture(shown));
  const heads = pictures.map((picture, i) =>
    make("th", { scope: "col" }, picture, make("span", {}, truth(i))),
  );
  const rows = methods.map((name, method) => {
    const cells = labels.map(() => ({ taken: make("span", {}, "–"), share: make("span") }));
    const cell = cells.map(({ taken, share }) => make("td", {}, taken, share));
    const head = make("th", { scope: "row" }, swatch(method), make("code", {}, name));
    return { cells, row: make("tr", { "data-method": name }, head, ...cell) };
  });
  byId("strip").replaceChildren(
    make("thead", {}, make("tr", {}, make("td", {}), ...heads)),
    make("tbody", {}, ...rows.map(({ row }) => row)),
  );
  return {
    draw() {
      for (const [i, address] of addressesOf(shown).entries())
        pictures[i]?.setAttribute("src", address);
    },
    show(method, predictions) {
      for (const [i, { label, probability }] of predictions.entries()) {
        const cell = rows[method]?.cells[i];
        if (cell === undefined) continue;
        const right = label === labels[i];
        const share = Number.isFinite(probability) ? `${Math.round(100 * probability)} %` : "?";
        setText(cell.taken, classes[label] ?? "?");
        setText(cell.share, `${right ? "✓" : "✗"} ${share}`);
        const { parentElement } = cell.taken;
        if (parentElement !== null) parentElement.className = right ? "right" : "wrong";
      }
    },
  };
}

/** Shown by image elements: each canvas in the page would have a layer to itself, and every frame would wait for it. */
const emptyPicture = ({ width, height }: Shown): HTMLImageElement =>
  make("img", { width: `${width}`, height: `${height}`, alt: "" });

/** Each image as the address of a PNG. */
function addressesOf({ width, height, pixels, labels }: Shown): string[] {
  const canvas = make("canvas", { width: `${width}`, height: `${height}` });
  // Read at once: drawn by the processor, since a GPU's canvas would have to be waited for.
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const image = new ImageData(width, height);
  const size = width * height;
  return labels.map((_, index) => {
    for (let i = 0; i < size; i++) {
      const value = pixels[index * size + i] ?? 0;
      image.data.set([value, value, value, 255], 4 * i);
    }
    context?.putImageData(image, 0, 0);
    return canvas.toDataURL();
  });
}
