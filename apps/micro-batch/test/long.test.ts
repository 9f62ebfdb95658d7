// What takes minutes: memory over a long training, and how long the main thread is blocked by the clock.

import type { Page } from "playwright-core";
import test from "tape";
import { cell, imagesOf, untilImages } from "./page.ts";
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

/** Tasks of more than 50 ms that the page has seen since it was opened, in milliseconds. */
function longTasksOf(page: Page): Promise<readonly number[]> {
  return page.evaluate(async () => {
    const found: number[] = [];
    const add = (list: PerformanceObserverEntryList) =>
      found.push(...list.getEntries().map(({ duration }) => duration));
    new PerformanceObserver(add).observe({ type: "longtask", buffered: true });
    await new Promise((resolve) => setTimeout(resolve, 100));
    return found;
  });
}

test("by the clock, too, the main thread is never blocked for more than 50 ms", {
  skip,
}, async (t) => {
  const site = await openSite();
  for (const link of ["#methods=bn,gn:8,bs:4,vdn:4&micro=8", "#micro=2"]) {
    for (let load = 0; load < 5; load++) {
      const page = await site.open({ link });
      for (let restart = 0; restart < 5; restart++) {
        await page.waitForTimeout(3000);
        // Playwright's own ways would have 330 kB of script evaluated on the main thread.
        await page.evaluate(() => document.getElementById("restart")?.click());
      }
      await page.waitForTimeout(3000);
      t.deepEqual(await longTasksOf(page), [], `${link}, load ${load}, restarted five times`);
      t.ok((await imagesOf(page, link === "#micro=2" ? "vdn:16" : "vdn:4")) > 0, "it trains");
      await page.close();
    }
  }
  await site.close();
});
