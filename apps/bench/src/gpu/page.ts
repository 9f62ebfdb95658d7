// What a page does for the suite `gpu`; chromium.ts bundles it and opens it.

import type { GpuMode } from "@fewnorm/backend-gpu";
import { loadEmbedded } from "@fewnorm/data";
import type { Key } from "@fewnorm/tensor";
import { nameNorms } from "../named-norms.ts";
import type { Options } from "../options.ts";
import type { Section, SuiteContext } from "../suite.ts";
import { measureMode, type OpenedMode, openMode } from "./measure-mode.ts";

/** What is measured. */
export interface PageJob {
  readonly mode: GpuMode;
  readonly options: Options;
  readonly key: Key;
  readonly milliseconds: number;
}

/** What the page calls outside. */
export interface Outside {
  fewnormSection(section: Section): Promise<void>;
  fewnormStatus(text: string): Promise<void>;
}

const outside = globalThis as unknown as Outside;
const abort = new AbortController();

const page = {
  /** The mode as it is here, or why it can't be had. */
  async open(mode: GpuMode): Promise<OpenedMode | string> {
    try {
      return await openMode({ mode, place: "Chromium" });
    } catch (error) {
      return (error as Error).message;
    }
  },

  async measure({ mode, options, key, milliseconds }: PageJob): Promise<void> {
    const began = performance.now();
    const context: SuiteContext = {
      options,
      norms: (always, byDefault) => nameNorms({ always, asked: options.norms, byDefault }, []),
      backend() {
        throw new Error("gpu: a page measures the backend that it is told");
      },
      dataset: loadEmbedded,
      key,
      began,
      deadline: began + milliseconds,
      signal: abort.signal,
      status: (text) => {
        void outside.fewnormStatus(text);
      },
    };
    for await (const section of measureMode(context, { mode, place: "Chromium" })) {
      await outside.fewnormSection(section);
    }
  },

  abort: (): void => abort.abort(),
};

export type BenchPage = typeof page;

(globalThis as { fewnormBench?: BenchPage }).fewnormBench = page;
