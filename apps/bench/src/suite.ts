// The contract of a suite: what it is given and what it yields.

import type { Backend } from "@fewnorm/backend";
import type { Dataset } from "@fewnorm/data";
import type { Norm } from "@fewnorm/norm";
import type { Key } from "@fewnorm/tensor";
import type { Options } from "./options.ts";

/** An option that only some suites take. */
export type SuiteOption =
  | "norms"
  | "strategy"
  | "batch"
  | "model"
  | "data"
  | "shapes"
  | "full"
  | "peers"
  | "peer"
  | "patience"
  | "threads";

/** A group of benchmarks, one file in suites/. */
export interface Suite {
  /** As users write it: `norm`. */
  readonly name: string;
  /** For the help text. */
  readonly summary: string;
  /** Whether it runs when no suite is named. */
  readonly byDefault: boolean;
  /** What it takes of the options that not every suite does. */
  readonly takes: readonly SuiteOption[];
  /** Looks at the options before anything is measured. @throws a usage error for what it cannot do. */
  check?(options: Options): void;
  /** Yields a section as soon as it is measured; when interrupted, what there is of it. */
  run(context: SuiteContext): AsyncIterable<Section>;
}

/** A normalization to be measured. */
export interface NamedNorm {
  /** As it is shown, and unique. */
  readonly name: string;
  readonly norm: Norm;
  /** Whether it may be left out where it cannot be had: nobody asked for it, and nothing is compared with it. */
  readonly dispensable: boolean;
}

/** What a suite works with. */
export interface SuiteContext {
  readonly options: Options;
  /** Norms of `--norms`, or else `byDefault`, and those of `--strategy`; `always` come first, in their order. */
  norms(always: readonly string[], byDefault: readonly string[]): readonly NamedNorm[];
  /** The backend of `--backend`, made when first asked for and disposed of after the last suite. */
  backend(): Promise<Backend>;
  /** That of `--data`, or the embedded one. */
  dataset(): Promise<Dataset>;
  /** The suite's own. */
  readonly key: Key;
  /** When the suite began, and until when it should be done, in performance.now()'s milliseconds. */
  readonly began: number;
  readonly deadline: number;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** Shows what is going on. */
  status(text: string): void;
}

/** One table and the samples that it was made from. */
export interface Section {
  readonly title: string;
  /** What was measured and how to read it, in paragraphs. */
  readonly caption: readonly string[];
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** What the numbers depend on. */
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  /** Every sample. */
  readonly series: readonly SectionSeries[];
  /** The table's numbers. */
  readonly results: readonly Result[];
}

/** Samples of one case, in the order in which they were taken. */
export interface SectionSeries {
  readonly case: string;
  /** What was measured: `forward`, `step`, … */
  readonly measure: string;
  readonly unit: string;
  readonly samples: readonly number[];
}

/** A number of the table, with its 95% interval where it has one. */
export interface Result {
  readonly case: string;
  /** Such as `forward / bn`. */
  readonly quantity: string;
  readonly value: number;
  readonly low?: number;
  readonly high?: number;
}
