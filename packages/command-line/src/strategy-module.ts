// A sampling strategy from someone else's package or file, for --strategy.

import { readFile, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { checkSampling, type Sampling } from "@fewnorm/sampling";
import { usageError } from "./usage-error.ts";

/**
 * The strategy of a package, by name as seen from `folder`, or by the path of its folder or of a JavaScript
 * file. It is the export `strategy`, or else the default export, or else the first export, in alphabetical
 * order, that is a strategy or mixture, or a function that returns one when called without arguments. Of
 * `strategy` and the default export a function will do, too.
 * @throws a usage error when there is none.
 */
export async function loadStrategy(specifier: string, folder: string): Promise<Sampling> {
  const url = await locate(specifier, folder);
  const module = await import(url).catch((error: Error) => {
    const missing = (error as { code?: string }).code === "ERR_MODULE_NOT_FOUND";
    const remedy = missing
      ? "; packages are looked for from its folder upwards: keep it in examples, or npm install them there"
      : "";
    throw usageError(`--strategy ${specifier} cannot be loaded (${firstLine(error)})${remedy}`);
  });
  const problems: string[] = [];
  const { strategy, default: byDefault, ...others } = module as Record<string, unknown>;
  for (const [name, value] of Object.entries({ strategy, default: byDefault, ...others })) {
    const made = typeof value === "function" ? called(name, value, problems) : value;
    const isNamed = made !== undefined && (name === "strategy" || name === "default");
    if (!isNamed && !looksLikeSampling(made)) continue;
    const problem = problemOf(name, made);
    if (problem === undefined) return made as Sampling;
    problems.push(problem);
  }
  const found = problems.length === 0 ? "" : ` (${problems.slice(0, 3).join("; ")})`;
  throw usageError(
    `--strategy ${specifier} exports no strategy${found}; export one, as in: export const strategy = mySampling({ images: 4 })`,
  );
}

async function locate(specifier: string, folder: string): Promise<string> {
  const path = resolve(folder, specifier);
  const found = await stat(path).catch(() => undefined);
  const isPath = isAbsolute(specifier) || specifier.startsWith(".") || found !== undefined;
  if (isPath && found === undefined) throw usageError(`--strategy: there is no ${path}`);
  if (isPath && found?.isFile()) return pathToFileURL(path).href;
  try {
    if (!isPath) return await resolveFrom(join(folder, "package.json"), specifier);
    // A package may import itself by name, which is what knows its exports.
    const manifest = join(path, "package.json");
    const { name, exports } = JSON.parse(await readFile(manifest, "utf8"));
    return await resolveFrom(manifest, exports === undefined ? path : name);
  } catch (error) {
    const problem = isPath
      ? `${path} cannot be imported`
      : `there is no package ${specifier}, and no file or folder ${path}`;
    const remedy = isPath
      ? "build the package first, as its package.json says"
      : "give the name of an installed package, or a path";
    throw usageError(`--strategy: ${problem} (${firstLine(error as Error)}); ${remedy}`);
  }
}

async function resolveFrom(from: string, specifier: string): Promise<string> {
  const { resolve: find } = createRequire(from);
  try {
    return pathToFileURL(find(specifier)).href;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_PACKAGE_PATH_NOT_EXPORTED") throw error;
    // It exports for import alone, for which Node has no such function.
    const above = (find.paths(specifier) ?? []).map((folder) => join(folder, specifier));
    for (const folder of [dirname(from), ...above]) {
      const { name, exports } = await readFile(join(folder, "package.json"), "utf8").then(
        JSON.parse,
        () => ({}),
      );
      const target = name === specifier ? importTarget(exports?.["."] ?? exports) : undefined;
      if (target !== undefined) return pathToFileURL(join(folder, target)).href;
    }
    throw error;
  }
}

/** What a package's exports name for imports in Node. */
function importTarget(exports: unknown): string | undefined {
  if (typeof exports === "string") return exports;
  const conditions = Object.entries(exports ?? {});
  const fitting = conditions.filter(([name]) => ["import", "node", "default"].includes(name));
  return fitting.map(([, inner]) => importTarget(inner)).find((target) => target !== undefined);
}

const firstLine = (error: Error): string => error.message.split("\n")[0] ?? "";

function called(name: string, value: unknown, problems: string[]): unknown {
  try {
    return (value as () => unknown)();
  } catch (error) {
    problems.push(`${name}() throws: ${firstLine(error as Error)}`);
    return undefined;
  }
}

/** Whether it was meant to be a strategy or mixture, and not something else that a module exports. */
const looksLikeSampling = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  ["parts", "extent", "origin"].some((key) => key in value);

function problemOf(name: string, value: unknown): string | undefined {
  try {
    checkSampling(name, value as Sampling);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
