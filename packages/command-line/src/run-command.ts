// A command from the process's arguments to its exit status; failures are one line each.

import { withChoices } from "@fewnorm/presets";
import { printable } from "./printable.ts";

/** What an app is made of. */
export interface Command {
  /** As it stands behind `pnpm`: `bench`. */
  readonly name: string;
  /** What --help prints. */
  readonly help: string;
  /**
   * Does the work and returns the exit status.
   * @throws Error with a message for the user: a `usageError` where the command line is at fault.
   */
  run(argv: readonly string[]): number | Promise<number>;
}

/**
 * Runs a command on the process's arguments, or prints its help if these ask for it. An error becomes one line on
 * stderr and exit status 1, or 2 for a `usageError`; with FEWNORM_DEBUG set, its stack and its causes are printed.
 */
export async function runCommand({ name, help, run }: Command): Promise<void> {
  // A reader that goes away, such as `head`, ends the output and not the work.
  process.stderr.on("error", () => {});
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") return;
    process.stderr.write(`${name}: cannot write the output (${error.message})\n`);
    process.exit(1);
  });
  const [first, ...rest] = process.argv.slice(2);
  // pnpm hands a separating "--" on to the script.
  const argv = first === undefined || first === "--" ? rest : [first, ...rest];
  if (argv.includes("--help") || argv.includes("-h")) {
    process.stdout.write(help);
    return;
  }
  try {
    process.exitCode = await run(argv);
  } catch (error) {
    process.stderr.write(`${printable(describeError(error, name))}\n`);
    process.exitCode = exitCodeOf(error);
  }
}

function exitCodeOf(error: unknown): number {
  const { exitCode } = Object(error) as { exitCode?: unknown };
  return typeof exitCode === "number" ? exitCode : 1;
}

function describeError(error: unknown, command: string): string {
  if (process.env.FEWNORM_DEBUG) return withCauses(error);
  if (!(error instanceof Error)) return String(error);
  const line = error.message.replace(/\s*\n\s*/g, " ");
  return exitCodeOf(error) === 2
    ? `${command}: ${withChoices(line, `see pnpm ${command} --help`)}`
    : line;
}

function withCauses(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\ncaused by ${withCauses(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
