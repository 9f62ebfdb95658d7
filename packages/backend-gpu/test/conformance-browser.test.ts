// The suite in headless Chromium, on WebGPU and on WebGL2.

import test from "tape";
import { type Browser, openBrowser, whyNoBrowser } from "./browser.ts";
import { whyNotAll } from "./whole.ts";

const modes = ["webgpu", "webgl2"] as const;

const skip = whyNoBrowser ?? whyNotAll;

if (skip !== undefined) {
  for (const mode of modes) {
    test(`gpu ${mode} in Chromium: the whole suite`, { skip }, () => {});
  }
} else {
  const browser: Browser = await openBrowser();
  for (const mode of modes) {
    for (const [i, name] of (await browser.tests(mode)).entries()) {
      test(`${name}, in Chromium`, async (t) => {
        for (const { ok, message } of await browser.run(mode, i)) t.ok(ok, message);
      });
    }
  }
  test.onFinish(() => {
    browser.close();
  });
}
