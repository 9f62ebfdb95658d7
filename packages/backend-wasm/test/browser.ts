// Headless Chromium with this package in it, bundled by Vite as it comes.

import { existsSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { build, preview } from "vite";
import type { Outcome, Place } from "./page.ts";

/** Debian's. */
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Why there is no browser to test with; undefined if there is one. */
export const whyNoBrowser: string | undefined = existsSync(executablePath)
  ? undefined
  : `${executablePath} is missing; install Debian's chromium, or set CHROMIUM`;

export interface Browser {
  /** The training step in a page that is cross-origin isolated or not. */
  step(isolated: boolean, place: Place, threads: number): Promise<Outcome>;
  /** Errors that pages have logged. */
  readonly errors: readonly string[];
  close(): Promise<void>;
}

const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

/** The compiled package, below which this file lies. */
const dist = fileURLToPath(new URL("..", import.meta.url));

const outDir = `${dist}/page`;
const shared = { root: dist, configFile: false, logLevel: "error" } as const;

/** The scripts of the bundle. */
export async function bundle(): Promise<readonly string[]> {
  // An icon of its own, or else the browser misses one and says so.
  const html =
    '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/test/page.js"></script>';
  await writeFile(`${dist}/index.html`, html);
  await build({ ...shared, build: { outDir, emptyOutDir: true } });
  const files = await readdir(`${outDir}/assets`);
  return Promise.all(files.map((file) => readFile(`${outDir}/assets/${file}`, "utf8")));
}

export async function openBrowser(): Promise<Browser> {
  await bundle();
  const serve = (headers: Record<string, string>) =>
    preview({ ...shared, build: { outDir }, preview: { headers } });
  const servers = { plain: await serve({}), isolated: await serve(isolation) };
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  const errors: string[] = [];
  return {
    errors,
    async step(isolated, place, threads) {
      const page = await browser.newPage();
      page.on("pageerror", (error) => errors.push(error.message));
      page.on("console", (message) => {
        if (message.type() === "error") errors.push(message.text());
      });
      const server = isolated ? servers.isolated : servers.plain;
      await page.goto(server.resolvedUrls?.local[0] as string);
      await page.waitForFunction(() => "step" in globalThis);
      type Host = { step(place: Place, threads: number): Promise<Outcome> };
      const outcome = await page.evaluate(
        ([where, count]) => (globalThis as unknown as Host).step(where, count),
        [place, threads] as const,
      );
      await page.close();
      return outcome;
    },
    async close() {
      await browser.close();
      for (const { httpServer } of Object.values(servers)) {
        await new Promise((resolve) => httpServer.close(resolve));
      }
    },
  };
}
