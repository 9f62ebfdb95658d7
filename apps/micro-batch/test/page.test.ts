// The page in headless Chromium: it trains, and does what its controls say.

import test from "tape";
import { cell, curvesOf, imagesOf, textOf, untilCleared, untilImages, untilState } from "./page.ts";
import { openSite, type Site, whyNoBrowser } from "./site.ts";

const skip = whyNoBrowser ?? false;
let site: Site;

const link = "#methods=bn:whole,vdn:16&micro=16&batch=32&lr=0.03&seed=3";

test("build the site and open the browser", { skip }, async () => {
  site = await openSite();
});

test("it trains, curves move and losses fall", { skip }, async (t) => {
  // No more than there are cores, whatever a link says.
  const page = await site.open({ link: `${link}&threads=200` });
  await untilState(page, "training");
  const cores = await page.evaluate(() => navigator.hardwareConcurrency);
  const threads = `${cores} ${cores === 1 ? "thread" : "threads"}`;
  const engine = await textOf(page, "engine-name");
  t.ok(engine.includes(threads), `${engine}: as many as there are cores`);
  await untilImages(page, "vdn:16", 100);
  const before = await curvesOf(page, "loss-plot");
  // On a fast machine it may be past any number by now.
  const images = await imagesOf(page, "vdn:16");
  await untilImages(page, "vdn:16", images + 1000);
  const after = await curvesOf(page, "loss-plot");
  t.equal(after.length, 2, "a curve for each method");
  t.ok(
    after.every((curve, i) => curve !== before[i] && curve.length > 0),
    "the curves have moved",
  );
  for (const method of ["bn:whole", "vdn:16"]) {
    const loss = Number(await cell(page, method, "loss"));
    // Guessing among ten classes is ln 10 = 2.30. Both are below 1.1 here with other seeds, too.
    t.ok(loss < 1.9, `${method}: test loss ${loss} after 1,024 images`);
  }
  const mismatch = await page.locator("#mismatch tbody tr").allTextContents();
  t.equal(mismatch.length, 5, "a line for each normalized layer");
  const pictures = await page
    .locator("#strip img")
    .evaluateAll((images) =>
      images
        .map((image) => image as HTMLImageElement)
        .map(({ src, naturalWidth }) => ({ src, naturalWidth })),
    );
  t.ok(
    pictures.every(({ naturalWidth }) => naturalWidth === 28),
    "the strip shows its images",
  );
  t.equal(new Set(pictures.map(({ src }) => src)).size, 10, "ten of them");
  const predictions = await page.locator("#strip tbody td").allTextContents();
  t.equal(predictions.length, 20, "two methods take ten images for something");
  t.ok(
    predictions.every((text) => /[✓✗] \d+ %$/.test(text)),
    "each with its probability",
  );
  await page.close();
});

test("pause holds, resume goes on, restart begins anew", { skip }, async (t) => {
  const page = await site.open({ link });
  await untilImages(page, "vdn:16", 200);
  await page.locator("#pause").click();
  await untilState(page, "paused");
  // What was under way when the button was pressed still arrives: the worker is asked after it.
  await page.waitForTimeout(1000);
  const held = await imagesOf(page, "vdn:16");
  await page.waitForTimeout(1000);
  t.equal(await imagesOf(page, "vdn:16"), held, "no step while paused");
  await page.locator("#pause").click();
  await untilImages(page, "vdn:16", held);
  t.pass("steps after resuming");
  await page.locator("#restart").click();
  await untilCleared(page, "vdn:16");
  t.pass("restarting clears");
  await untilImages(page, "vdn:16", 0);
  await page.close();
});

test("a hidden tab pauses and goes on", { skip }, async (t) => {
  const page = await site.open({ link });
  await untilImages(page, "vdn:16", 0);
  const hide = (hidden: boolean) =>
    page.evaluate((value) => {
      Object.defineProperty(document, "hidden", { configurable: true, value });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
  await hide(true);
  t.equal(await textOf(page, "state"), "Waiting while the tab is hidden");
  await page.waitForTimeout(1000);
  const held = await imagesOf(page, "vdn:16");
  await page.waitForTimeout(1000);
  t.equal(await imagesOf(page, "vdn:16"), held, "no step while hidden");
  await hide(false);
  await untilImages(page, "vdn:16", held);
  t.pass("steps when it is seen again");
  await page.close();
});

test("changing a setting restarts cleanly, and the link restores it", { skip }, async (t) => {
  const page = await site.open({ link });
  await untilImages(page, "vdn:16", 300);
  await page.locator("#micro").selectOption("4");
  await untilCleared(page, "vdn:16");
  t.pass("the table is cleared");
  await page.waitForURL(/micro=4/);
  t.pass("the address follows");
  await untilImages(page, "vdn:16", 0);
  await page.locator("#rate").fill("0.01");
  await page.locator("#rate").press("Enter");
  await page.getByLabel("gn:8").check();
  await untilImages(page, "gn:8", 0);
  const trainers = page.workers().filter((worker) => worker.url().includes("worker"));
  t.equal(trainers.length, 1, "one worker trains");

  const other = await site.open({ link: new URL(page.url()).hash });
  t.equal(await other.locator("#micro").inputValue(), "4");
  t.equal(await other.locator("#rate").inputValue(), "0.01");
  t.equal(await other.locator("#seed").inputValue(), "3");
  const chosen = await other
    .locator("#methods input:checked")
    .evaluateAll((boxes) => boxes.map((box) => (box as HTMLInputElement).value));
  t.deepEqual(chosen.sort(), ["bn:whole", "gn:8", "vdn:16"]);
  await untilImages(other, "gn:8", 0);
  await page.close();
  await other.close();
});

test("a method that cannot be trained says so, the others go on", { skip }, async (t) => {
  const viewport = { width: 320, height: 800 };
  const page = await site.open({ link: "#methods=bn,nothing:3,ln&micro=1", viewport });
  await untilImages(page, "ln", 0);
  const messages = page.locator("#standings .failed div");
  const failures = await messages.allTextContents();
  t.equal(failures.length, 2);
  t.ok(
    failures.some((text) => text.includes("nothing:3")),
    failures.join(" | "),
  );
  for (const message of await messages.all()) {
    const { x = 0, width = Number.NaN } = (await message.boundingBox()) ?? {};
    t.ok(x + width <= viewport.width, `read without scrolling: it ends at ${x + width}`);
  }
  await page.close();
});

test("without isolation and without WebGPU it says what it does instead", { skip }, async (t) => {
  const page = await site.open({ link: `${link}&engine=webgpu`, isolated: false });
  await untilImages(page, "vdn:16", 0);
  t.ok((await textOf(page, "engine-name")).includes("1 thread"), "one thread");
  t.ok(await page.locator("#threads").isDisabled(), "more cannot be chosen");
  t.ok((await textOf(page, "threads-note")).startsWith("One thread"), "and why is said there");
  const notes = await textOf(page, "browser");
  t.ok(notes.includes("may not share memory"), "it says why there is one thread");
  t.ok(notes.includes("offers no adapter"), "it says that there is no WebGPU");
  const notice = await textOf(page, "notice");
  t.ok(notice.startsWith("WebGPU cannot be had here"), notice);
  await page.close();
});

test("no error on any console", { skip }, async (t) => {
  t.deepEqual(site.errors, []);
  await site.close();
});
