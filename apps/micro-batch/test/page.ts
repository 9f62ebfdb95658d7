// What tests read from the page, and wait for.

import type { Page } from "playwright-core";

/** Selects a cell of the table of methods. */
const cellOf = (method: string, field: string): string =>
  `#standings [data-method="${method}"] [data-field="${field}"]`;

/** The text of a cell of the table of methods. */
export async function cell(page: Page, method: string, field: string): Promise<string> {
  return (await page.locator(cellOf(method, field)).textContent()) ?? "";
}

/** Training images that a method has seen. */
export async function imagesOf(page: Page, method: string): Promise<number> {
  return Number((await cell(page, method, "images")).replace(/\D/g, ""));
}

/** Waits until a method has seen more training images than so many. */
export async function untilImages(page: Page, method: string, images: number): Promise<void> {
  await page.waitForFunction(
    ([field, count]) => {
      const text = document.querySelector(field)?.textContent ?? "";
      return Number(text.replace(/\D/g, "")) > count;
    },
    [cellOf(method, "images"), images] as const,
  );
}

/** Waits until the table begins anew, which it does some frames after a setting has changed. */
export async function untilCleared(page: Page, method: string): Promise<void> {
  await page.locator(cellOf(method, "images"), { hasText: /^–$/ }).waitFor();
}

/** The path of every curve in a plot. */
export function curvesOf(page: Page, plot: string): Promise<readonly string[]> {
  return page
    .locator(`#${plot} .curves path`)
    .evaluateAll((paths) => paths.map((path) => path.getAttribute("d") ?? ""));
}

/** Waits for the page's state: starting, training, paused or ended. */
export async function untilState(page: Page, state: string): Promise<void> {
  await page.locator(`body[data-state="${state}"]`).waitFor();
}

/** The text of the element with this id. */
export async function textOf(page: Page, id: string): Promise<string> {
  return (await page.locator(`#${id}`).textContent()) ?? "";
}
