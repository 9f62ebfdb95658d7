// Headless Chromium that measures: a page with this app's suites in it, bundled by Vite.

import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { GpuMode } from "@fewnorm/backend-gpu";
import type { Section } from "../suite.ts";
import type { OpenedMode } from "./measure-mode.ts";
import type { BenchPage, PageJob } from "./page.ts";

/** Debian's, if no other is named. */
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

export interface Chromium {
  /** The mode as it is there, or why it can't be had. */
  open(mode: GpuMode): Promise<OpenedMode | string>;
  /** Yields sections as they are measured; aborting ends it after the run that is going on. */
  measure(
    job: PageJob,
    signal: AbortSignal,
    status: (text: string) => void,
  ): AsyncIterable<Section>;
  close(): Promise<void>;
}

/** Without these there is no WebGPU on Linux; with them a GPU is taken where there is one. */
const flags = [
  "--no-sandbox",
  "--enable-unsafe-webgpu",
  "--enable-features=Vulkan",
  "--ignore-gpu-blocklist",
  "--enable-unsafe-swiftshader",
];

const emulation = "--use-webgpu-adapter=swiftshader";

/** @throws Error with the reason where there is no browser, or nothing to drive it with. */
export async function openChromium(): Promise<Chromium> {
  if (!existsSync(executablePath)) {
    throw new Error(`there is no ${executablePath}; install Chromium, or name it in CHROMIUM`);
  }
  const { chromium } = await needed("playwright-core", () => import("playwright-core"));
  const { build, preview } = await needed("vite", () => import("vite"));
  const folder = await mkdtemp(join(tmpdir(), "fewnorm-bench-"));
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const html = '<!doctype html><script type="module" src="/src/gpu/page.js"></script>';
  await writeFile(join(root, "index.html"), html);
  const shared = { root, configFile: false, logLevel: "error" } as const;
  await build({ ...shared, build: { outDir: folder, emptyOutDir: true } });
  const server = await preview({ ...shared, build: { outDir: folder } });

  async function stopServing(): Promise<void> {
    await new Promise((resolve) => server.httpServer.close(resolve));
    await rm(folder, { recursive: true });
  }

  async function start(args: readonly string[]) {
    // Ctrl-C is the bench's: it ends the measurement first.
    const signals = { handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false };
    const options = { executablePath, args: [...args], ...signals };
    const browser = await chromium.launch(options).catch(async (error) => {
      // The process would wait for the server's end.
      await stopServing();
      throw error;
    });
    const page = await browser.newPage();
    page.setDefaultTimeout(0);
    await page.goto(server.resolvedUrls?.local[0] as string);
    await page.waitForFunction(() => "fewnormBench" in globalThis);
    return { browser, page };
  }
  type Host = { readonly fewnormBench: BenchPage };
  const openIn = (page: Awaited<ReturnType<typeof start>>["page"], mode: GpuMode) =>
    page.evaluate((m) => (globalThis as unknown as Host).fewnormBench.open(m), mode);

  let { browser, page } = await start(flags);
  if (typeof (await openIn(page, "webgpu")) === "string") {
    await browser.close();
    ({ browser, page } = await start([...flags, emulation]));
  }

  let section: (one: Section) => void = () => {};
  let say: (text: string) => void = () => {};
  await page.exposeFunction("fewnormSection", (one: Section) => section(one));
  await page.exposeFunction("fewnormStatus", (text: string) => say(text));

  return {
    open: (mode) => openIn(page, mode),
    async *measure(job, signal, status) {
      const ready: Section[] = [];
      let wake = () => {};
      section = (one) => {
        ready.push(one);
        wake();
      };
      say = status;
      const abort = () => {
        page
          .evaluate(() => (globalThis as unknown as Host).fewnormBench.abort())
          // The measurement itself says that the page is gone.
          .catch(() => {});
      };
      signal.addEventListener("abort", abort);
      let over = false;
      const done = page
        .evaluate((j) => (globalThis as unknown as Host).fewnormBench.measure(j), job)
        .finally(() => {
          over = true;
          wake();
        });
      // Whoever stops reading does not wait for what comes.
      done.catch(() => {});
      try {
        while (!over || ready.length > 0) {
          const one = ready.shift();
          if (one !== undefined) yield one;
          else {
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
          }
        }
        await done;
      } finally {
        signal.removeEventListener("abort", abort);
      }
    },
    async close() {
      await browser.close();
      await stopServing();
    },
  };
}

async function needed<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    throw new Error(`the package ${name} is not there; run this in the repository`, {
      cause: error,
    });
  }
}
