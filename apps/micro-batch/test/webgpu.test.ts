// The page on WebGPU, with an adapter that is software.

import test from "tape";
import { eventsOf, tests } from "./events.ts";
import { cell, textOf, untilImages } from "./page.ts";
import { openSite, whyNoBrowser } from "./site.ts";

const skip = whyNoBrowser ?? false;

/** Some ten images a second and method where the machine does nothing else. */
const patience = 10 * 60_000;

test("on WebGPU the page trains as the WebAssembly engine does", { skip }, async (t) => {
  const site = await openSite([
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
    "--enable-unsafe-swiftshader",
  ]);
  const page = await site.open({ link: "#methods=bn,vdn:4&micro=16&engine=webgpu" });
  page.setDefaultTimeout(patience);
  await untilImages(page, "vdn:4", 0);
  t.ok((await textOf(page, "engine-name")).includes("webgpu"), await textOf(page, "engine-name"));
  t.ok((await textOf(page, "browser")).includes("there is an adapter"), "the page has found it");
  // The test behind 512 images is shown with the next step at the latest.
  await untilImages(page, "vdn:4", 512);
  const events = await eventsOf({ methods: ["bn", "vdn:4"], micro: 16 }, 16);
  for (const [method, name] of ["bn", "vdn:4"].entries()) {
    const expected = tests(events, method).at(-1)?.loss ?? Number.NaN;
    const loss = Number(await cell(page, name, "loss"));
    // Sums in another order grow apart over 16 steps: by 3% with vdn:4, whose running statistics are young.
    t.ok(Math.abs(loss - expected) < 0.1 * expected, `${name}: ${loss}, in Node ${expected}`);
  }
  t.deepEqual(site.errors, []);
  await site.close();
});
