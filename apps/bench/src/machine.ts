// What the numbers were measured on.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { arch, availableParallelism, cpus, release, totalmem, type } from "node:os";
import { fileURLToPath } from "node:url";

/** The machine and what runs on it. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  /** Bytes. */
  readonly memory: number;
  readonly os: string;
  readonly arch: string;
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memory: totalmem(),
    os: `${type()} ${release()}`,
    arch: arch(),
  };
}

/** Versions of what takes part. */
export function describeVersions(): Record<string, string> {
  const manifest = new URL("../../package.json", import.meta.url);
  const { version } = JSON.parse(readFileSync(manifest, "utf8"));
  return { fewnorm: version, node: process.versions.node, v8: process.versions.v8 };
}

/** The commit of the sources, with "+" when they have been changed since; undefined without git. */
export function describeCommit(): string | undefined {
  // A bundle has no repository around it.
  const packed = process.env.FEWNORM_COMMIT?.trim();
  if (packed) return packed;
  const cwd = fileURLToPath(new URL(".", import.meta.url));
  const git = (...args: string[]) =>
    execFileSync("git", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  try {
    const changed = git("status", "--porcelain", "--untracked-files=no").trim() !== "";
    return `${git("rev-parse", "HEAD").trim()}${changed ? "+" : ""}`;
  } catch {
    return undefined;
  }
}
