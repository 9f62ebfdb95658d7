// What the tests call in a browser, in the page itself or in a worker of it; browser.ts bundles it and opens it.

import { createWasmBackend } from "@fewnorm/backend-wasm";
import { add, trace } from "@fewnorm/tensor";
import { runStep } from "./training-step.ts";

/** Where the step is called: a page's main thread must not wait, a worker may. */
export type Place = "page" | "worker";

/** What came of the step, in a form that leaves the page. */
export interface Outcome {
  readonly description: string;
  readonly isolated: boolean;
  /** Whether the calling thread does anything else while it runs. */
  readonly staysFree: boolean;
  /** Results by name, of the first run and of the second. */
  readonly results: Readonly<Record<string, readonly number[]>>;
  readonly again: Readonly<Record<string, readonly number[]>>;
}

interface Scope {
  readonly crossOriginIsolated: boolean;
  /** A page's alone. */
  readonly document?: unknown;
  readonly Worker: new (
    url: URL,
    options: { type: "module" },
  ) => {
    onmessage: (event: { data: Outcome }) => void;
    onerror: (event: { message?: string }) => void;
    postMessage(threads: number): void;
    terminate(): void;
  };
  onmessage: (event: { data: number }) => void;
  postMessage(outcome: Outcome): void;
  step?: (place: Place, threads: number) => Promise<Outcome>;
}

const scope = globalThis as unknown as Scope;

async function here(threads: number): Promise<Outcome> {
  const { results, again, description } = await runStep(threads, 3);
  const plain = (fetches: typeof results) =>
    Object.fromEntries(Object.entries(fetches).map(([name, { data }]) => [name, [...data]]));
  const { crossOriginIsolated: isolated } = scope;
  const staysFree = await isFreeWhile(threads);
  return { description, isolated, staysFree, results: plain(results), again: plain(again) };
}

async function isFreeWhile(threads: number): Promise<boolean> {
  const backend = await createWasmBackend({ threads });
  const graph = trace((builder) => builder.output("y", add(builder.input("x", [4]), 1)));
  const executable = await backend.compile(graph);
  let done = false;
  const running = executable.run({ x: [1, 2, 3, 4] }).then(() => {
    done = true;
  });
  // A run on this thread is over without a turn of the event loop, in which workers' messages come.
  for (let i = 0; i < 100; i++) await undefined;
  const wasFree = !done;
  await running;
  await backend.dispose();
  return wasFree;
}

function inWorker(threads: number): Promise<Outcome> {
  const worker = new Worker(new URL("./page.js", import.meta.url), {
    type: "module",
  }) as unknown as InstanceType<Scope["Worker"]>;
  return new Promise<Outcome>((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message = "the worker's script was not loaded" }) =>
      reject(new Error(message));
    worker.postMessage(threads);
  }).finally(() => worker.terminate());
}

if (scope.document === undefined) {
  scope.onmessage = ({ data }) => void here(data).then((outcome) => scope.postMessage(outcome));
} else {
  scope.step = (place, threads) => (place === "page" ? here(threads) : inWorker(threads));
}
