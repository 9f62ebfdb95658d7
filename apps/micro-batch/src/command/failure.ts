// Failures for people: one line each, and an exit status.

/** A mistake in how the command was called: exit status 2 instead of 1. */
export function usageError(message: string): Error {
  const end = message.endsWith("?") ? " See" : "; see";
  return Object.assign(new Error(`demo:cli: ${message}${end} pnpm demo:cli --help`), {
    exitCode: 2,
  });
}

/** The exit status that an error asks for. */
export function exitCodeOf(error: unknown): number {
  const { exitCode } = error as { exitCode?: unknown };
  return typeof exitCode === "number" ? exitCode : 1;
}

/** An error as one line; with FEWNORM_DEBUG set, with its stack. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (process.env.FEWNORM_DEBUG) return error.stack ?? error.message;
  return error.message.replace(/\s*\n\s*/g, " ");
}
