// The suites `norm` and `step` on one mode of gpu.js, in Node or in a page.

import { createGpuBackend, type GpuBackend, type GpuExecutable } from "@fewnorm/backend-gpu";
import type { Key } from "@fewnorm/tensor";
import type { LayerShape } from "../options.ts";
import { resultsOf } from "../section-parts.ts";
import { estimateExcess, estimateRatio } from "../statistics.ts";
import type { Section, SuiteContext } from "../suite.ts";
import { norm } from "../suites/norm.ts";
import { step } from "../suites/step.ts";
import { none, ratio } from "../words.ts";

/** What a mode is, and where. */
export interface ModeName {
  readonly mode: GpuBackend["mode"];
  readonly place: "Node" | "Chromium";
}

/** What can be said of a mode that answers. */
export interface OpenedMode extends ModeName {
  readonly description: string;
  readonly adapter: string | undefined;
  readonly emulated: boolean;
}

/** @throws Error that says why the mode can't be had. */
export async function openMode({ mode, place }: ModeName): Promise<OpenedMode> {
  const backend = await createGpuBackend({ mode });
  await backend.dispose();
  const { description, adapter, emulated } = backend;
  return { mode, place, description, adapter, emulated };
}

/** Images in a batch: a GPU needs many to be busy, a processor has enough of few. */
const batches = { gpu: 128, processor: 32 };

/** Images of a layer at most: with more, and virtual ones, it could be larger than kernels can count. */
const mostLayerImages = 512;

const defaultNorms = ["bs:4", "bs:16", "vdn:4"];

/** `webgl2 in Chromium`. */
export const nameOf = ({ mode, place }: ModeName): string =>
  place === "Node" ? mode : `${mode} in ${place}`;

export async function* measureMode(context: SuiteContext, name: ModeName): AsyncIterable<Section> {
  const backend = await createGpuBackend({ mode: name.mode });
  try {
    const isGpu = backend.adapter !== undefined && !backend.emulated;
    const { batch = isGpu ? batches.gpu : batches.processor, shapes } = context.options;
    const layers: readonly LayerShape[] = shapes ?? [
      [Math.min(batch, mostLayerImages), 16, 32, 32],
    ];
    const watched = watch(backend);
    const shared: SuiteContext = {
      ...context,
      options: { ...context.options, batch, shapes: layers },
      norms: (always, _) => context.norms(always, defaultNorms),
      backend: async () => watched.backend,
      status: (text) => context.status(`${nameOf(name)}: ${text}`),
    };
    // A step takes most of the time, so that it gets most.
    const third = context.began + (context.deadline - context.began) / 3;
    for await (const section of norm.run({ ...shared, deadline: third })) {
      yield marked(section, name, backend, watched.kinds());
    }
    for await (const section of step.run(shared)) {
      yield marked(withTaxes(section, context.key), name, backend, watched.kinds());
    }
  } finally {
    await backend.dispose();
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
function marked(section: Section, name: ModeName, backend: GpuBackend, kinds: string): Section {
  const { mode, emulated, adapter = none } = backend;
  return {
    ...section,
    title: `gpu ${nameOf(name)}${emulated ? " (EMULATION)" : ""}: ${section.title}`,
    caption: [
      ...section.caption,
      `${backend.description}; gpu.js ran it as ${kinds}.${emulated ? " EMULATION: a processor did the work, so that times are not those of a GPU." : ""}`,
    ],
    settings: {
      ...section.settings,
      mode,
      place: name.place,
      adapter,
      emulated,
      executors: kinds,
    },
  };
}

/** Says each norm's tax as a part of full BN's, where that is above zero for sure. */
function withTaxes(section: Section, key: Key): Section {
  const samplesOf = (name: string) =>
    section.series.find((one) => one.case === name)?.samples ?? [];
  const [full, base] = [samplesOf("bn"), samplesOf("none")];
  const bn = estimateRatio(full, base, { key });
  if (bn === undefined || bn.low <= 1) return section;
  const parts = section.series
    .map((one) => one.case)
    .filter((name) => name !== "bn" && name !== "none")
    .map((name) => ({ name, part: estimateExcess(samplesOf(name), full, base, { key }) }));
  const said = parts.map(({ name, part }) => `${name} ${ratio(part)}`).join(", ");
  return {
    ...section,
    caption: [...section.caption, `The tax as a part of bn's: ${said}.`],
    results: [
      ...section.results,
      ...parts.flatMap(({ name, part }) => resultsOf(name, "tax / bn's tax", part)),
    ],
  };
}
