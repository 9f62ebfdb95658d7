// Three SGD steps of ResNet-20 on every mode, against the reference in float64.

import { createGpuBackend, type GpuMode } from "@fewnorm/backend-gpu";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import test from "tape";
import { type Browser, openBrowser, whyNoBrowser } from "./browser.ts";
import { whyNoWebGpu } from "./software-adapter.ts";
import { distance, norms, type Training, trainResnet } from "./training.ts";
import { whyNotAll } from "./whole.ts";

interface Runner {
  readonly name: string;
  readonly skip: string | undefined;
  train(norm: string): Promise<Omit<Training, "before">>;
}

const inNode = (mode: GpuMode, skip?: string): Runner => ({
  name: mode,
  skip,
  async train(norm) {
    const backend = await createGpuBackend({ mode });
    try {
      return await trainResnet(backend, norm);
    } finally {
      await backend.dispose();
    }
  },
});

let browser: Browser | undefined;

const inChromium = (mode: GpuMode): Runner => ({
  name: `${mode} in Chromium`,
  skip: whyNoBrowser,
  async train(norm) {
    browser ??= await openBrowser();
    return browser.train(mode, norm);
  },
});

const runners = [
  inNode("cpu"),
  inNode("webasm"),
  inNode("webgpu", await whyNoWebGpu()),
  inChromium("webgpu"),
  inChromium("webgl2"),
];

/** Those that are always tested: without folding, and folded. */
const usual: readonly string[] = ["bn", "bs:4"];

for (const norm of norms) {
  let reference: Training | undefined;
  for (const { name, skip, train } of runners) {
    // WebAssembly is no emulation, and quick.
    const long = usual.includes(norm) || name === "webasm" ? undefined : whyNotAll;
    test(`ResNet-20, ${norm}, three steps on ${name}`, {
      skip: skip ?? long ?? false,
    }, async (t) => {
      reference ??= await trainResnet(createReferenceBackend(), norm);
      const training = await train(norm);
      const { loss, states, worst } = distance(
        { ...training, before: reference.before },
        reference,
      );
      // A loss comes through some 60 layers, each with sums of up to 576 products: √576 · 2^-24 = 1.4e-6 for one, more
      // where WebGPU's division and exponential, exact to some units, come in.
      t.ok(loss <= 2e-5, `losses differ by ${loss.toExponential(1)}`);
      // Gradients come through twice as many, and three steps are taken.
      t.ok(states <= 1e-4, `states differ by ${states.toExponential(1)} of what training changed`);
      // One layer's γ may hardly change, so that its own rounding counts for more.
      const { distance: apart } = worst;
      t.ok(apart <= 2e-3, `the worst, ${worst.name}, differs by ${apart.toExponential(1)}`);
    });
  }
}

test.onFinish(() => {
  browser?.close();
});
