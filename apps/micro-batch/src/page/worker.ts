// The worker that trains: the page's main thread is left to the page.

import type { Backend } from "@fewnorm/backend";
import { type Dataset, loadEmbedded } from "@fewnorm/data";
import { parseBackend } from "@fewnorm/presets";
import { type ComparisonEvent, compare } from "../comparison.ts";
import { shownImages } from "../contestant.ts";
import type { Settings } from "../settings.ts";
import type { Command, Report, Shown } from "./messages.ts";

/** Milliseconds that events are gathered before the page hears of them. */
const reportEvery = 100;

const scope = globalThis as unknown as {
  onmessage: (event: { readonly data: Command }) => void;
  postMessage(report: Report): void;
};

let paused = false;
let goOn = () => {};

scope.onmessage = ({ data }) => {
  if (data.type === "start") void run(data.settings);
  paused = data.type === "pause";
  if (!paused) goOn();
};

async function run(settings: Settings): Promise<void> {
  // Not awaited: some browsers may take long to answer, and training need not wait.
  void hasWebGpu().then((found) => scope.postMessage({ type: "adapter", found }));
  try {
    const { backend, problem } = await createBackend(settings);
    scope.postMessage({ type: "engine", description: backend.description, problem });
    const dataset = await loadEmbedded();
    scope.postMessage({ type: "shown", shown: shownOf(dataset) });
    let events: ComparisonEvent[] = [];
    let reported = performance.now();
    const report = () => {
      scope.postMessage({ type: "events", events });
      events = [];
      reported = performance.now();
    };
    for await (const event of compare(backend, dataset, settings)) {
      events.push(event);
      if (performance.now() - reported >= reportEvery) report();
      await turn();
      if (!paused) continue;
      report();
      await new Promise<void>((resolve) => {
        goOn = resolve;
      });
    }
    report();
    scope.postMessage({ type: "ended", reason: "no method can go on" });
  } catch (error) {
    scope.postMessage({ type: "ended", reason: (error as Error).message });
  }
}

async function hasWebGpu(): Promise<boolean> {
  const { gpu } = navigator as { gpu?: { requestAdapter(): Promise<unknown> } };
  try {
    return Boolean(await gpu?.requestAdapter());
  } catch {
    return false;
  }
}

/** The engine that was asked for, or WebAssembly where that cannot be had. */
async function createBackend(
  settings: Settings,
): Promise<{ backend: Backend; problem: string | undefined }> {
  let problem: string | undefined;
  if (settings.engine === "webgpu") {
    try {
      return { backend: await parseBackend("gpu:webgpu")(), problem };
    } catch (error) {
      problem = (error as Error).message;
    }
  }
  // A core is left for the page, and small networks gain little from many.
  const most = Math.min(4, Math.max(1, navigator.hardwareConcurrency - 1));
  // Threads that take turns on a core only wait for one another.
  const threads = Math.min(settings.threads || most, navigator.hardwareConcurrency);
  return { backend: await parseBackend("wasm")({ threads }), problem };
}

function shownOf({ classes, shape, test }: Dataset): Shown {
  const [, height, width] = shape;
  const pixels = test.images.slice(0, shownImages * height * width);
  return { classes, width, height, pixels, labels: [...test.labels.subarray(0, shownImages)] };
}

const channel = new MessageChannel();

/** Lets messages of the page come through. Timers would do, but browsers slow down those that follow one another. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    channel.port1.onmessage = () => resolve();
    channel.port2.postMessage(undefined);
  });
}
