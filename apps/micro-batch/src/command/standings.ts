// How each method stands, gathered from the comparison's events, and the final table.

import { formatTable } from "@fewnorm/command-line";
import type { ComparisonEvent } from "../comparison.ts";
import { type Curves, createCurves } from "../curves.ts";
import { grouped } from "../grouped.ts";

/** One method's course up to now. */
export interface Standing {
  readonly name: string;
  readonly curves: Curves;
  readonly images: number;
  readonly seconds: number;
  readonly memoryBytes: number | undefined;
  /** The last test. */
  readonly tested: { readonly loss: number; readonly accuracy: number } | undefined;
  /** Why it does not go on. */
  readonly failure: string | undefined;
}

export interface Standings {
  readonly all: readonly Standing[];
  see(event: ComparisonEvent): void;
}

export function createStandings(names: readonly string[]): Standings {
  const all = names.map((name): { -readonly [K in keyof Standing]: Standing[K] } => ({
    name,
    curves: createCurves(),
    images: 0,
    seconds: 0,
    memoryBytes: undefined,
    tested: undefined,
    failure: undefined,
  }));
  return {
    all,
    see(event) {
      const standing = all[event.method];
      if (standing === undefined) return;
      standing.curves.see(event);
      switch (event.type) {
        case "ready":
          standing.memoryBytes = event.memoryBytes;
          break;
        case "failed":
          standing.failure = event.message;
          break;
        case "step": {
          const { images, seconds } = event;
          Object.assign(standing, { images, seconds });
          break;
        }
        case "test": {
          const { loss, accuracy } = event;
          standing.tested = { loss, accuracy };
          break;
        }
      }
    },
  };
}

export const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;

/** All methods, a line each, and below it why some did not go on. */
export function tableOf(standings: readonly Standing[]): string {
  const head = ["method", "images", "test loss", "test accuracy", "images/s", "MiB"];
  const rows = standings.map(({ name, images, seconds, memoryBytes, tested }) => [
    name,
    grouped(images),
    tested === undefined ? "–" : tested.loss.toFixed(3),
    tested === undefined ? "–" : percent(tested.accuracy),
    seconds === 0 ? "–" : grouped(images / seconds),
    memoryBytes === undefined ? "–" : (memoryBytes / 2 ** 20).toFixed(2),
  ]);
  const failures = standings.flatMap(({ name, failure }) =>
    failure === undefined ? [] : [`${name}: ${failure}`],
  );
  return `${[formatTable(head, rows), ...failures].join("\n")}\n`;
}
