// What the tests call in a browser; browser.ts bundles it and opens it.

import { conformance, type TestFunction } from "@fewnorm/backend";
import { createGpuBackend, type GpuMode } from "@fewnorm/backend-gpu";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import { type Course, countHeld, type Held, type Makers, trainHolding } from "./held.ts";
import { prepare, x } from "./small-step.ts";
import { type Training, trainResnet } from "./training.ts";

type Assertions = Parameters<Parameters<TestFunction>[1]>[0];

/** An assertion that was made. */
export interface Verdict {
  readonly ok: boolean;
  readonly message: string;
}

/** A training in a form that leaves the page as text. */
export interface SentTraining {
  readonly losses: readonly number[];
  readonly after: readonly (readonly [name: string, shape: readonly number[], base64: string])[];
}

let held: (() => Held) | undefined;

const page = {
  /** Why a mode can't be had; undefined if it can. */
  async why(mode: GpuMode): Promise<string | undefined> {
    try {
      const backend = await createGpuBackend({ mode });
      await backend.dispose();
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  },

  async describe(mode: GpuMode): Promise<string> {
    const backend = await createGpuBackend({ mode });
    await backend.dispose();
    return backend.description;
  },

  /** The names of the suite's tests. */
  tests: (mode: GpuMode): readonly string[] => suite(mode).map(({ name }) => name),

  /** One of these tests. An error is a verdict as well. */
  async run(mode: GpuMode, index: number): Promise<readonly Verdict[]> {
    const verdicts: Verdict[] = [];
    const ok = (value: unknown, message: string) => verdicts.push({ ok: Boolean(value), message });
    try {
      await suite(mode)[index]?.body({ ok });
    } catch (error) {
      verdicts.push({ ok: false, message: String(error) });
    }
    return verdicts;
  },

  async train(mode: GpuMode, norm: string): Promise<SentTraining> {
    const backend = await createGpuBackend({ mode });
    try {
      const { losses, after } = await trainResnet(backend, norm);
      return { losses, after: sent(after) };
    } finally {
      await backend.dispose();
    }
  },

  async held(mode: GpuMode): Promise<Course> {
    held ??= countHeld(globalThis as Makers);
    return trainHolding(mode, held);
  },

  /** Puts what is no shader in the place of WebGL's shaders. */
  async breakKernels(mode: GpuMode): Promise<string> {
    const { prototype } = (
      globalThis as unknown as {
        WebGL2RenderingContext: {
          prototype: { shaderSource(shader: unknown, text: string): void };
        };
      }
    ).WebGL2RenderingContext;
    const { shaderSource } = prototype;
    const backend = await createGpuBackend({ mode });
    prototype.shaderSource = function (shader, text) {
      shaderSource.call(this, shader, text.replace("void main", "void 7main"));
    };
    try {
      const { executable } = await prepare(backend);
      await executable.run({ x });
      return "no error";
    } catch (error) {
      return String(error);
    } finally {
      prototype.shaderSource = shaderSource;
      await backend.dispose();
    }
  },
};

export type Page = typeof page;

function suite(mode: GpuMode) {
  const tests: { readonly name: string; body(t: Assertions): Promise<void> }[] = [];
  conformance(
    (name, body) => tests.push({ name, body }),
    `gpu ${mode}`,
    () => createGpuBackend({ mode }),
    { oracle: () => createReferenceBackend() },
  );
  return tests;
}

function sent(tensors: Training["after"]): SentTraining["after"] {
  return [...tensors].map(([name, { shape, values }]) => {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    let text = "";
    for (let i = 0; i < bytes.length; i += 4096) {
      text += String.fromCharCode(...bytes.subarray(i, i + 4096));
    }
    return [name, shape, btoa(text)];
  });
}

(globalThis as { fewnorm?: Page }).fewnorm = page;
