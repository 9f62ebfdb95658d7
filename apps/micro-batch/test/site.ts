// The page as a static site on a plain file server, in headless Chromium.

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { build } from "vite";

/** Debian's. */
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Why there is no browser to test with; undefined if there is one. */
export const whyNoBrowser: string | undefined = existsSync(executablePath)
  ? undefined
  : `${executablePath} is missing; install Debian's chromium, or set CHROMIUM`;

/** Why what takes minutes is left out, unless FEWNORM_DEMO=all asks for it. */
export const whyNotAll: string | undefined =
  process.env.FEWNORM_DEMO === "all" ? undefined : "takes minutes; FEWNORM_DEMO=all tests it";

export interface OpenOptions extends BrowserContextOptions {
  /** What stands behind `#`. */
  readonly link?: string;
  /** Whether the server sends the headers for cross-origin isolation; default true. */
  readonly isolated?: boolean;
}

export interface Site {
  open(options?: OpenOptions): Promise<Page>;
  /** What pages have logged as errors, and errors that were not caught. */
  readonly errors: readonly string[];
  close(): Promise<void>;
}

const app = fileURLToPath(new URL("../..", import.meta.url));
const folder = fileURLToPath(new URL("../test-site", import.meta.url));

/** Somewhere below the server's root, as project pages are. */
const path = "/some/where/";

const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

const types: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
};

async function serve(headers: Readonly<Record<string, string>>) {
  const server = createServer(async ({ url = "" }, response) => {
    const name = new URL(url, "http://site").pathname;
    try {
      if (!name.startsWith(path)) throw new Error("nothing there");
      const file = join(folder, name === path ? "index.html" : name.slice(path.length));
      const bytes = await readFile(file);
      const type = types[extname(file)] ?? "application/octet-stream";
      response.writeHead(200, { "Content-Type": type, ...headers }).end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { server, address: `http://127.0.0.1:${port}${path}` };
}

/** Builds the site and starts what shows it. @param args of Chromium */
export async function openSite(args: readonly string[] = []): Promise<Site> {
  await build({
    root: app,
    configFile: join(app, "vite.config.ts"),
    logLevel: "error",
    build: { outDir: folder },
  });
  const servers = { plain: await serve({}), isolated: await serve(isolation) };
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", ...args] });
  const errors: string[] = [];
  return {
    errors,
    async open({ link = "", isolated = true, ...options } = {}) {
      const page = await browser.newPage(options);
      // A busy machine makes tests slow, not wrong.
      page.setDefaultTimeout(120_000);
      page.on("pageerror", (error) => errors.push(error.message));
      page.on("console", (message) => {
        if (message.type() === "error") errors.push(message.text());
      });
      const { address } = isolated ? servers.isolated : servers.plain;
      await page.goto(`${address}${link}`);
      return page;
    },
    async close() {
      await browser.close();
      for (const { server } of Object.values(servers)) server.close();
    },
  };
}
