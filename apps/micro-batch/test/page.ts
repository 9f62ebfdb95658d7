// What tests read from the page, and wait for.

import type { Page } from "playwright-core";

/** A cell of the table of methods. */
export async function cell(page: Page, method: string, field: string): Promise<string> {
  const found = page.locator(`#standings [data-method="${method}"] [data-field="${field}"]`);
  return (await found.textContent()) ?? "";
}

/** Training images that a method has seen. */
export async function imagesOf(page: Page, method: string): Promise<number> {
  return Number((await cell(page, method, "images")).replace(/\D/g, ""));
}

/** Waits until a method has seen more training images than so many. */
export async function untilImages(page: Page, method: string, images: number): Promise<void> {
  await page.waitForFunction(
    ([name, count]) => {
      const field = `#standings [data-method="${name}"] [data-field="images"]`;
      const text = document.querySelector(field)?.textContent ?? "";
      return Number(text.replace(/\D/g, "")) > count;
    },
    [method, images] as const,
  );
}

/** Waits until the table begins anew, which it does some frames after a setting has changed. */
export async function untilCleared(page: Page, method: string): Promise<void> {
  const field = `#standings [data-method="${method}"] [data-field="images"]`;
  await page.locator(field, { hasText: /^–$/ }).waitFor();
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
