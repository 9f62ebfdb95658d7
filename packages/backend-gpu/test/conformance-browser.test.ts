// The suite in headless Chromium, on WebGPU and on WebGL2.

import test from "tape";
import { openBrowser, whyNoBrowser } from "./browser.ts";

for (const mode of ["webgpu", "webgl2"] as const) {
  const name = `gpu ${mode} in Chromium: the whole suite`;
  if (whyNoBrowser !== undefined) {
    test(name, { skip: whyNoBrowser }, () => {});
    continue;
  }
  test(name, async (t) => {
    const browser = await openBrowser();
    try {
      t.comment(await browser.describe(mode));
      for (const { test: title, ok, message } of await browser.conformance(mode)) {
        t.ok(ok, `${title}: ${message}`);
      }
    } finally {
      await browser.close();
    }
  });
}
