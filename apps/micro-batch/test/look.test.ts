// The page in headless Chromium: whether everybody can use it, and whether it stays responsive.

import axe from "axe-core";
import type { Page } from "playwright-core";
import test from "tape";
import { imagesOf, untilCleared, untilImages, untilState } from "./page.ts";
import { openSite, type Site, whyNoBrowser } from "./site.ts";

const skip = whyNoBrowser ?? false;
let site: Site;
let page: Page;

const narrow = { width: 360, height: 800 };
const wide = { width: 1440, height: 1000 };

test("build the site and open the browser", { skip }, async () => {
  site = await openSite();
  page = await site.open({ link: "#methods=bn,gn:8,bs:4,vdn:4&micro=16" });
  await untilImages(page, "vdn:4", 0);
});

/** What axe-core finds to be more than minor. */
async function findings(): Promise<readonly string[]> {
  return page.evaluate(async () => {
    const { axe: inPage } = globalThis as unknown as { axe: typeof axe };
    const { violations } = await inPage.run();
    return violations
      .filter(({ impact }) => impact !== "minor")
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  });
}

test("it can be used by keyboard", { skip }, async (t) => {
  await page.keyboard.press("Tab");
  t.equal(await page.evaluate(() => document.activeElement?.id), "pause", "the first stop");
  await page.keyboard.press("Enter");
  await untilState(page, "paused");
  const reached = new Set<string>();
  for (let i = 0; i < 30; i++) {
    await page.keyboard.press("Tab");
    reached.add(
      await page.evaluate(() => {
        const { id = "", tagName = "" } = document.activeElement ?? {};
        return id === "" ? tagName : id;
      }),
    );
  }
  for (const stop of ["restart", "copy", "micro", "rate", "seed", "SUMMARY", "SECTION"]) {
    t.ok(reached.has(stop), `${stop} is reached`);
  }
});

test("nothing is cut off, axe-core finds next to nothing", { skip }, async (t) => {
  await page.evaluate(axe.source);
  await page.locator("summary").click();
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    for (const viewport of [narrow, wide]) {
      await page.setViewportSize(viewport);
      const where = `${colorScheme}, ${viewport.width} pixels wide`;
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      t.ok(width <= viewport.width, `${where}: what there is takes ${width}`);
      t.deepEqual(await findings(), [], where);
    }
  }
});

test("it says what its parts are, and what it tells later can be heard", { skip }, async (t) => {
  for (const name of ["How the methods stand", "What they take test images for"]) {
    t.equal(await page.getByRole("table", { name }).count(), 1, name);
  }
  t.equal(await page.getByRole("status").count(), 2, "the state, and a notice that is empty yet");
});

test("in forced colours bars are still to be seen", { skip }, async (t) => {
  await page.emulateMedia({ forcedColors: "active" });
  const colours = await page
    .locator("#mismatch .bar")
    .evaluateAll((bars) => bars.map((bar) => getComputedStyle(bar).backgroundColor));
  const back = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  t.ok(colours.length > 0 && !colours.includes(back), `${colours[0]} on ${back}`);
  await page.emulateMedia({ forcedColors: null });
  await page.close();
});

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  /** By the clock, in microseconds. */
  readonly ts: number;
  readonly dur?: number;
  /** Of the processor, in microseconds. */
  readonly tdur?: number;
  readonly args: {
    readonly name?: string;
    readonly chrome_mojo_event_info?: { readonly mojo_interface_tag?: string };
  };
}

/** What happens within a task, on its thread. */
const within = (task: TraceEvent, { pid, tid, ts }: TraceEvent): boolean =>
  pid === task.pid && tid === task.tid && ts >= task.ts && ts < task.ts + (task.dur ?? 0);

/** The browser's own protocol: by it this test has 330 kB of script evaluated in every page. */
const isOfTest = ({ args }: TraceEvent): boolean =>
  args.chrome_mojo_event_info?.mojo_interface_tag === "blink.mojom.DevToolsSession";

/** The longest task of the page's main thread over a restart, some tests and some hundred steps: ms, and of what. */
async function longestTask(t: test.Test): Promise<{ readonly ms: number; readonly of: string }> {
  const browser = page.context().browser();
  if (browser === null) throw new Error("the page has no browser");
  await browser.startTracing(page, {
    categories: ["__metadata", "disabled-by-default-devtools.timeline", "mojom"],
  });
  await page.reload();
  await untilImages(page, "vdn:4", 1100);
  await page.locator("#micro").selectOption("16");
  await untilCleared(page, "vdn:4");
  await untilImages(page, "vdn:4", 500);
  const trace = JSON.parse((await browser.stopTracing()).toString()) as {
    traceEvents: readonly TraceEvent[];
  };
  const threadOf = ({ pid, tid }: TraceEvent) => `${pid}/${tid}`;
  const mains = new Set(
    trace.traceEvents
      .filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain")
      .map(threadOf),
  );
  const onMain = trace.traceEvents.filter(
    (event) => event.ph === "X" && mains.has(threadOf(event)),
  );
  const messages = onMain.filter(isOfTest);
  t.ok(messages.length > 0, "the protocol's messages are told apart");
  // Time of the processor, not of the clock: what else the machine does must not decide.
  const busy = ({ tdur = Number.NaN }: TraceEvent) => tdur / 1000;
  const tasks = onMain
    .filter(({ name }) => name === "RunTask")
    .filter((task) => !messages.some((message) => within(task, message)))
    .sort((one, other) => busy(other) - busy(one));
  t.ok(tasks.length > 100, `${tasks.length} tasks were seen`);
  const [longest] = tasks as [TraceEvent];
  const parts = onMain
    .filter((event) => event !== longest && within(longest, event) && busy(event) > 5)
    .map((event) => `${event.name} ${busy(event).toFixed(1)}`);
  return { ms: busy(longest), of: parts.join(", ") };
}

test("the main thread is never busy for more than 50 ms", { skip }, async (t) => {
  page = await site.open({ link: "#methods=bn,gn:8,bs:4,vdn:4&micro=8&threads=2" });
  // A shared machine may stand still while its processor's clock goes on, which has been seen as a task of 209 ms,
  // usual ones taking 10 at most. What the page does itself, it does every time.
  let longest = await longestTask(t);
  for (let again = 0; again < 2 && !(longest.ms < 50); again++) {
    t.comment(`a task took ${longest.ms.toFixed(1)} ms: ${longest.of}`);
    longest = await longestTask(t);
  }
  t.ok(longest.ms < 50, `the longest task takes ${longest.ms.toFixed(1)} ms: ${longest.of}`);
  t.ok((await imagesOf(page, "bn")) > 0, "while the training went on");
  await page.close();
});

test("no error on any console", { skip }, async (t) => {
  t.deepEqual(site.errors, []);
  await site.close();
});

test("text that a browser is set to show twice as large fits a telephone", { skip }, async (t) => {
  site = await openSite(["--blink-settings=defaultFontSize=32"]);
  const viewport = { width: 320, height: 800 };
  page = await site.open({ link: "#methods=bn,3*vdn:2%2B1*bs:2@detached&micro=16", viewport });
  await untilImages(page, "bn", 0);
  await page.locator("summary").click();
  const { size, code, width } = await page.evaluate(() => ({
    code: getComputedStyle(document.querySelector("code") ?? document.body).fontSize,
    size: getComputedStyle(document.body).fontSize,
    width: document.documentElement.scrollWidth,
  }));
  t.equal(size, "32px");
  t.equal(code, size, "names are as large");
  t.ok(width <= viewport.width, `what there is takes ${width}`);
  await site.close();
});
