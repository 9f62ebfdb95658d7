// Layer, block and step on every mode of gpu.js that runs here.

import {
  createGpuBackend,
  type GpuBackend,
  type GpuExecutable,
  gpuModes,
} from "@fewnorm/backend-gpu";
import { foldIn } from "@fewnorm/tensor";
import type { LayerShape } from "../options.ts";
import type { Section, Suite, SuiteContext } from "../suite.ts";
import { none } from "../words.ts";
import { norm } from "./norm.ts";
import { step } from "./step.ts";

/** Images in a batch: a GPU needs many to be busy, a processor has enough of few. */
const batches = { gpu: 128, processor: 16 };

const defaultNorms = ["bs:4", "bs:16", "vdn:4"];

export const gpu: Suite = {
  name: "gpu",
  summary: "layer, block and step on every mode of gpu.js that runs here",
  byDefault: false,
  async *run(context) {
    const { opened, refused } = await openModes(context);
    try {
      yield describeModes(opened, refused);
      for (const [i, backend] of opened.entries()) {
        if (context.signal.aborted) return;
        const now = performance.now();
        const deadline = now + (context.deadline - now) / (opened.length - i);
        const key = foldIn(context.key, i);
        yield* measureMode({ ...context, began: now, deadline, key }, backend);
      }
    } finally {
      for (const backend of opened) await backend.dispose();
    }
  },
};

/** The modes to measure: that of `--backend gpu:MODE`, or all that are for more than tests. */
async function openModes({ options, status }: SuiteContext) {
  const [, chosen] = options.backend.split(":");
  const wanted = gpuModes.filter((mode) =>
    chosen === undefined ? mode !== "cpu" : mode === chosen,
  );
  const opened: GpuBackend[] = [];
  const refused: { readonly mode: string; readonly reason: string }[] = [];
  for (const mode of wanted) {
    status(`opening ${mode}`);
    try {
      opened.push(await createGpuBackend({ mode }));
    } catch (error) {
      const reason = (error as Error).message.replace(/^.*can't be had here: /, "");
      refused.push({ mode, reason });
    }
  }
  return { opened, refused };
}

function describeModes(
  opened: readonly GpuBackend[],
  refused: readonly { readonly mode: string; readonly reason: string }[],
): Section {
  const kindOf = ({ mode, emulated }: GpuBackend) =>
    emulated
      ? "emulation by the processor"
      : mode.startsWith("web") && mode !== "webasm"
        ? "GPU"
        : "processor";
  return {
    title: "gpu: modes",
    caption: [
      "What gpu.js can run on here. What a processor emulates says nothing of a GPU's speed.",
    ],
    head: ["mode", "runs", "adapter", "why not"],
    rows: [
      ...opened.map((one) => [one.mode, kindOf(one), one.adapter ?? none, none]),
      ...refused.map(({ mode, reason }) => [mode, "no", none, reason]),
    ],
    settings: {},
    series: [],
    results: [],
  };
}

/** The suites `norm` and `step` on one mode. */
async function* measureMode(context: SuiteContext, backend: GpuBackend): AsyncIterable<Section> {
  const isGpu = backend.adapter !== undefined && !backend.emulated;
  const { batch = isGpu ? batches.gpu : batches.processor, shapes } = context.options;
  const layers: readonly LayerShape[] = shapes ?? [[batch, 16, 32, 32]];
  const watched = watch(backend);
  const options = { ...context.options, batch, shapes: layers };
  const shared: SuiteContext = {
    ...context,
    options,
    norms: (always, _) => context.norms(always, defaultNorms),
    backend: async () => watched.backend,
    status: (text) => context.status(`${backend.mode}: ${text}`),
  };
  // A step takes most of the time, so that it gets most.
  const half = context.began + (context.deadline - context.began) / 2;
  for await (const section of norm.run({ ...shared, deadline: half })) {
    yield marked(section, backend, watched.kinds());
  }
  for await (const section of step.run(shared)) {
    yield marked(withTaxes(section), backend, watched.kinds());
  }
}

/** A backend whose executables are remembered, for how they ran. */
function watch(backend: GpuBackend) {
  const executables: GpuExecutable[] = [];
  return {
    backend: {
      ...backend,
      async compile(...parameters: Parameters<GpuBackend["compile"]>) {
        const executable = await backend.compile(...parameters);
        executables.push(executable);
        return executable;
      },
    },
    /** Each way in which executables ran, once. */
    kinds(): string {
      const seen = executables.flatMap(({ executorKind, backend: ran, fallbackReason }) =>
        executorKind === undefined
          ? []
          : [
              `${executorKind} on ${ran}${fallbackReason === undefined ? "" : ` (${fallbackReason})`}`,
            ],
      );
      return [...new Set(seen)].join(", ") || "nothing yet";
    },
  };
}

/** A section that says what it was measured on. */
function marked(section: Section, backend: GpuBackend, kinds: string): Section {
  const { mode, emulated, adapter = none } = backend;
  return {
    ...section,
    title: `gpu ${mode}${emulated ? " (EMULATION)" : ""}: ${section.title}`,
    caption: [
      ...section.caption,
      `${backend.description}; gpu.js ran it as ${kinds}.${emulated ? " EMULATION: a processor did the work, so that times are not those of a GPU." : ""}`,
    ],
    settings: { ...section.settings, mode, adapter, emulated, executors: kinds },
  };
}

/** Says each norm's tax as a part of full BN's. */
function withTaxes(section: Section): Section {
  const taxes = section.results.filter(({ quantity }) => quantity === "tax");
  const full = taxes.find((one) => one.case === "bn")?.value;
  if (full === undefined || full <= 0) return section;
  const parts = taxes
    .filter((one) => one.case !== "bn")
    .map((one) => ({ case: one.case, quantity: "tax / bn's tax", value: one.value / full }));
  const said = parts.map((one) => `${one.case} ${one.value.toFixed(2)}`).join(", ");
  return {
    ...section,
    caption: [...section.caption, `The tax as a part of bn's: ${said}.`],
    results: [...section.results, ...parts],
  };
}
