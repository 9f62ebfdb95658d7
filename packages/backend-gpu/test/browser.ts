// Headless Chromium with this package in it, bundled by Vite as it comes.

import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { GpuMode } from "@fewnorm/backend-gpu";
import type { HostTensor } from "@fewnorm/train";
import { chromium } from "playwright-core";
import { build, preview } from "vite";
import type { Course } from "./held.ts";
import type { Page, Verdict } from "./page.ts";
import type { Training } from "./training.ts";

/** Debian's. */
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Why there is no browser to test with; undefined if there is one. */
export const whyNoBrowser: string | undefined = existsSync(executablePath)
  ? undefined
  : `${executablePath} is missing; install Debian's chromium, or set CHROMIUM`;

export interface Browser {
  why(mode: GpuMode): Promise<string | undefined>;
  describe(mode: GpuMode): Promise<string>;
  /** The names of the suite's tests, and what came of one of them. */
  tests(mode: GpuMode): Promise<readonly string[]>;
  run(mode: GpuMode, index: number): Promise<readonly Verdict[]>;
  train(mode: GpuMode, norm: string): Promise<Omit<Training, "before">>;
  /** What a mode holds in the course of a training. */
  held(mode: GpuMode): Promise<Course>;
  /** What an error says of a kernel that can't be compiled. */
  breakKernels(mode: GpuMode): Promise<string>;
  close(): Promise<void>;
}

/** The compiled package, below which this file lies. */
const dist = fileURLToPath(new URL("..", import.meta.url));

export async function openBrowser(): Promise<Browser> {
  const html = '<!doctype html><script type="module" src="/test/page.js"></script>';
  await writeFile(`${dist}/index.html`, html);
  const shared = { root: dist, configFile: false, logLevel: "error" } as const;
  await build({ ...shared, build: { outDir: `${dist}/page`, emptyOutDir: true } });
  const server = await preview({ ...shared, build: { outDir: `${dist}/page` } });
  const browser = await chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--enable-unsafe-webgpu",
      "--use-webgpu-adapter=swiftshader",
      "--enable-unsafe-swiftshader",
    ],
  });
  const page = await browser.newPage();
  page.setDefaultTimeout(0);
  await page.goto(server.resolvedUrls?.local[0] as string);
  await page.waitForFunction(() => "fewnorm" in globalThis);
  type Host = { readonly fewnorm: Page };
  return {
    why: (mode) => page.evaluate((m) => (globalThis as unknown as Host).fewnorm.why(m), mode),
    describe: (mode) =>
      page.evaluate((m) => (globalThis as unknown as Host).fewnorm.describe(m), mode),
    tests: (mode) => page.evaluate((m) => (globalThis as unknown as Host).fewnorm.tests(m), mode),
    run: (mode, index) =>
      page.evaluate(([m, i]) => (globalThis as unknown as Host).fewnorm.run(m, i), [
        mode,
        index,
      ] as const),
    async train(mode, norm) {
      const { losses, after } = await page.evaluate(
        ([m, n]) => (globalThis as unknown as Host).fewnorm.train(m, n),
        [mode, norm] as const,
      );
      const tensors = after.map(([name, shape, base64]): [string, HostTensor] => {
        const bytes = Buffer.from(base64, "base64");
        const values = new Float32Array(Uint8Array.from(bytes).buffer);
        return [name, { shape, values }];
      });
      return { losses, after: new Map(tensors) };
    },
    held: (mode) => page.evaluate((m) => (globalThis as unknown as Host).fewnorm.held(m), mode),
    breakKernels: (mode) =>
      page.evaluate((m) => (globalThis as unknown as Host).fewnorm.breakKernels(m), mode),
    async close() {
      await browser.close();
      await new Promise((resolve) => server.httpServer.close(resolve));
    },
  };
}
