// The engine in headless Chromium, with shared memory and without, called by a page and by a worker.

import test from "tape";
import { relaxed } from "../src/engine/binaries.js";
import { wide } from "../src/engine/wide-binary.js";
import { bundle, openBrowser, whyNoBrowser } from "./browser.ts";
import { runStep } from "./training-step.ts";

const skip = whyNoBrowser ?? false;

test("a bundle for browsers leaves out the binary that only Node can run", async (t) => {
  const scripts = await bundle();
  const holds = (binary: string) => scripts.some((script) => script.includes(binary));
  t.ok(holds(relaxed), "relaxed SIMD is in it");
  t.notOk(holds(wide as string), "vectors of 8 floats are not");
});

test("in a page and in a worker, isolated or not", { skip }, async (t) => {
  const browser = await openBrowser();
  try {
    const expected = await runStep(1, 3);
    for (const isolated of [true, false]) {
      for (const place of ["page", "worker"] as const) {
        for (const threads of [1, 3]) {
          const outcome = await browser.step(isolated, place, threads);
          const where = `${place}, ${isolated ? "" : "not "}isolated, ${threads} asked for`;
          const real = isolated ? threads : 1;
          t.equal(outcome.isolated, isolated, `${where}: the page is what the test wants`);
          t.ok(
            outcome.description.includes(`${real} ${real === 1 ? "thread" : "threads"}`),
            `${where}: ${outcome.description}`,
          );
          t.equal(outcome.staysFree, place === "page" && isolated, `${where}: who computes`);
          t.deepEqual(outcome.again, outcome.results, `${where}: the same each time`);
          for (const [name, { data }] of Object.entries(expected.results)) {
            const values = outcome.results[name] ?? [];
            const largest = [...data].reduce((top, value) => Math.max(top, Math.abs(value)), 0);
            const worst = values.reduce(
              (top, value, i) => Math.max(top, Math.abs(value - (data[i] as number))),
              0,
            );
            t.equal(values.length, data.length, `${where}: ${name} has its size`);
            // As between threads: only the order of the sums over the batch differs.
            t.ok(worst <= 1e-5 * largest, `${where}: ${name} is off by ${worst} of ${largest}`);
          }
        }
      }
    }
    t.deepEqual(browser.errors, [], "no errors on the console");
  } finally {
    await browser.close();
  }
});
