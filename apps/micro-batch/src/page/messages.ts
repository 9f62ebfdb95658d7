// What the page and its worker say to each other.

import type { ComparisonEvent } from "../comparison.ts";
import type { Settings } from "../settings.ts";

/** To the worker. A worker trains one comparison: for another, the page starts another worker. */
export type Command =
  | { readonly type: "start"; readonly settings: Settings }
  | { readonly type: "pause" }
  | { readonly type: "resume" };

/** The test images whose predictions are shown. */
export interface Shown {
  readonly classes: readonly string[];
  readonly width: number;
  readonly height: number;
  /** Gray values, 0 … 255, one image after the other. */
  readonly pixels: Uint8Array;
  /** Class numbers. */
  readonly labels: readonly number[];
}

/** From the worker. */
export type Report =
  | {
      /** Whether the browser has a WebGPU adapter: asking takes a while, which the page need not wait. */
      readonly type: "adapter";
      readonly found: boolean;
    }
  | {
      readonly type: "engine";
      readonly description: string;
      /** Why it is not the engine that was asked for. */
      readonly problem: string | undefined;
    }
  | { readonly type: "shown"; readonly shown: Shown }
  | { readonly type: "events"; readonly events: readonly ComparisonEvent[] }
  | { readonly type: "ended"; readonly reason: string };
