// Layer, block and step on every mode of gpu.js that runs here, in Node and in a browser.

import { type GpuMode, gpuModes } from "@fewnorm/backend-gpu";
import { usageError } from "@fewnorm/command-line";
import { foldIn } from "@fewnorm/tensor";
import { allModes } from "../gpu/all-modes.ts";
import { type Chromium, openChromium } from "../gpu/chromium.ts";
import {
  type ModeName,
  measureMode,
  nameOf,
  type OpenedMode,
  openMode,
} from "../gpu/measure-mode.ts";
import type { Section, Suite, SuiteContext } from "../suite.ts";
import { none } from "../words.ts";

/** What only browsers have, or have as well. */
const browserModes: readonly GpuMode[] = ["webgpu", "webgl2", "webgl"];

/** WebGL is for where there is no WebGL2, plain JavaScript for tests: both only when asked for. */
const usual: readonly GpuMode[] = ["webgpu", "webgl2", "webasm"];

interface Refused extends ModeName {
  readonly reason: string;
}

export const gpu: Suite = {
  name: "gpu",
  summary: "layer, block and step on every mode of gpu.js, in Node and in Chromium",
  byDefault: false,
  takes: ["norms", "strategy", "batch", "model", "shapes"],
  check({ data }) {
    if (data === undefined) return;
    throw usageError("gpu measures with the images that pages have, too; leave out --data");
  },
  async *run(context) {
    let chromium: Chromium | undefined;
    try {
      const opened: OpenedMode[] = [];
      const refused: Refused[] = [];
      for (const name of wantedModes(context)) {
        context.status(`opening ${nameOf(name)}`);
        const mode = await tryMode(name, async () => {
          chromium ??= await openChromium();
          return chromium;
        });
        if (typeof mode === "string") refused.push({ ...name, reason: mode });
        else opened.push(mode);
      }
      yield describeModes(opened, refused);
      const measured = new Map<OpenedMode, Section[]>();
      for (const [i, mode] of opened.entries()) {
        if (context.signal.aborted) break;
        const sections: Section[] = [];
        measured.set(mode, sections);
        const now = performance.now();
        const deadline = now + (context.deadline - now) / (opened.length - i);
        const key = foldIn(context.key, i);
        const own = { ...context, began: now, deadline, key };
        for await (const section of mode.place === "Node"
          ? measureMode(own, mode)
          : measureInPage(own, mode, chromium as Chromium)) {
          sections.push(section);
          yield section;
        }
      }
      const summary = allModes(measured);
      if (summary !== undefined) yield summary;
      const [only] = refused;
      if (opened.length === 0 && only !== undefined) {
        throw new Error(`gpu: no mode can be measured; ${nameOf(only)}: ${only.reason}`);
      }
    } finally {
      await chromium?.close();
    }
  },
};

/** That of `--backend gpu:MODE`, or the usual ones, wherever they might be had. */
function wantedModes({ options }: SuiteContext): readonly ModeName[] {
  const [, chosen] = options.backend.split(":");
  const modes = gpuModes.filter((mode) =>
    chosen === undefined ? usual.includes(mode) : mode === chosen,
  );
  return [
    ...modes
      .filter((mode) => !mode.startsWith("webgl"))
      .map((mode): ModeName => ({ mode, place: "Node" })),
    ...modes
      .filter((mode) => browserModes.includes(mode))
      .map((mode): ModeName => ({ mode, place: "Chromium" })),
  ];
}

/** A mode as it is, or why it can't be had. */
async function tryMode(
  name: ModeName,
  browser: () => Promise<Chromium>,
): Promise<OpenedMode | string> {
  const withoutSubject = (reason: string) =>
    (reason.split("\n")[0] as string).replace(/^.*can't be had here: /, "");
  try {
    if (name.place === "Node") return await openMode(name);
    const opened = await (await browser()).open(name.mode);
    return typeof opened === "string" ? withoutSubject(opened) : opened;
  } catch (error) {
    return withoutSubject((error as Error).message);
  }
}

async function* measureInPage(
  { options, key, began, deadline, signal, status }: SuiteContext,
  { mode }: OpenedMode,
  chromium: Chromium,
): AsyncIterable<Section> {
  // What a user wrote is a file, and pages have none.
  if (options.strategies.length > 0) status(`${mode}: --strategy is measured in Node only`);
  const job = { mode, options, key, milliseconds: deadline - began };
  yield* chromium.measure(job, signal, status);
}

function describeModes(opened: readonly OpenedMode[], refused: readonly Refused[]): Section {
  const kindOf = ({ mode, emulated }: OpenedMode) =>
    emulated ? "emulation by the processor" : browserModes.includes(mode) ? "GPU" : "processor";
  return {
    title: "gpu: modes",
    caption: [
      "What gpu.js can run on here. What a processor emulates says nothing of a GPU's speed.",
    ],
    head: ["mode", "runs on", "adapter", "why not"],
    rows: [
      ...opened.map((one) => [nameOf(one), kindOf(one), one.adapter ?? none, none]),
      ...refused.map((one) => [nameOf(one), none, none, one.reason]),
    ],
    settings: {},
    series: [],
    results: [],
  };
}
