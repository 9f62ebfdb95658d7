// The file that --json writes: every sample, and what it was measured on.

import type { Backend } from "@fewnorm/backend";
import { describeCommit, describeMachine, describeVersions, type Machine } from "./machine.ts";
import type { Options } from "./options.ts";
import type { Section } from "./suite.ts";

/** The sections of one suite. */
export interface SuiteRecord {
  readonly suite: string;
  readonly sections: readonly Section[];
}

/** The whole run. */
export interface BenchRecord {
  /** Of this layout. */
  readonly format: "fewnorm-bench/1";
  /** ISO 8601, when the run began. */
  readonly date: string;
  readonly machine: Machine;
  readonly versions: Readonly<Record<string, string>>;
  readonly commit: string | null;
  /** The backend of --backend, where a suite used it. */
  readonly backend: { readonly name: string; readonly description: string } | null;
  readonly options: Omit<Options, "json">;
  readonly interrupted: boolean;
  readonly suites: readonly SuiteRecord[];
}

/** Puts the record of a run together. */
export function makeRecord(run: {
  readonly began: Date;
  readonly options: Options;
  readonly backend: Backend | undefined;
  readonly interrupted: boolean;
  readonly suites: readonly SuiteRecord[];
}): BenchRecord {
  const { began, backend, interrupted, suites } = run;
  const { json: _, ...options } = run.options;
  return {
    format: "fewnorm-bench/1",
    date: began.toISOString(),
    machine: describeMachine(),
    versions: describeVersions(),
    commit: describeCommit() ?? null,
    backend:
      backend === undefined ? null : { name: backend.name, description: backend.description },
    options,
    interrupted,
    suites,
  };
}
