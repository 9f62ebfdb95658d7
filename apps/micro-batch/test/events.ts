// What a comparison tells, in Node on the WebAssembly engine with one thread: the same numbers every time.

import { loadEmbedded } from "@fewnorm/data";
import { parseBackend } from "@fewnorm/presets";
import { type ComparisonEvent, compare, type TestEvent } from "../src/comparison.ts";
import { defaults, type Settings } from "../src/settings.ts";

/** All events of so many steps. */
export async function eventsOf(settings: Partial<Settings>, steps: number) {
  const backend = await parseBackend("wasm")({ threads: 1 });
  const events: ComparisonEvent[] = [];
  const all = { ...defaults, ...settings };
  const dataset = await loadEmbedded();
  for await (const event of compare(backend, dataset, all, { steps })) events.push(event);
  await backend.dispose();
  return events;
}

/** The tests of a method. */
export const tests = (events: readonly ComparisonEvent[], method: number): readonly TestEvent[] =>
  events.filter((event): event is TestEvent => event.type === "test" && event.method === method);
