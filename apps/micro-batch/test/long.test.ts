// What takes minutes: memory over a long training.

import type { Page } from "playwright-core";
import test from "tape";
import { cell, untilImages } from "./page.ts";
import { openSite, whyNoBrowser, whyNotAll } from "./site.ts";

const skip = whyNoBrowser ?? whyNotAll ?? false;

const minute = 60_000;

/** Bytes of the page and its workers, WebAssembly's included; the browser collects garbage first. */
function bytesOf(page: Page): Promise<number> {
  return page.evaluate(async () => {
    type Measuring = { measureUserAgentSpecificMemory(): Promise<{ bytes: number }> };
    const { bytes } = await (performance as unknown as Measuring).measureUserAgentSpecificMemory();
    return bytes;
  });
}

test("memory is flat over five minutes", { skip }, async (t) => {
  // Or else each measurement waits for a collection of garbage by chance.
  const site = await openSite(["--enable-blink-features=ForceEagerMeasureMemory"]);
  const page = await site.open({ link: "#micro=8&threads=2" });
  await untilImages(page, "vdn:16", 0);
  await page.waitForTimeout(minute);
  const before = await bytesOf(page);
  await page.waitForTimeout(4 * minute);
  const after = await bytesOf(page);
  const images = await cell(page, "vdn:16", "images");
  const mebibytes = (bytes: number) => (bytes / 2 ** 20).toFixed(1);
  const found = `${mebibytes(before)} MiB after a minute, ${mebibytes(after)} after five (${images} images)`;
  // Curves fill up to 500 points each in that time, some hundred kilobytes; the engine's memory is planned once.
  t.ok(after - before < 2 * 2 ** 20, found);
  t.deepEqual(site.errors, []);
  await site.close();
});
