// Mistakes of whoever called the command.

/**
 * A mistake in how the command was called: exit status 2 instead of 1. The command's name goes before it, and where
 * its help is behind, when it is printed.
 * @param message what is wrong, with the values; what to do
 * @param cause the error that it was noticed by, if there is one
 */
export function usageError(message: string, cause?: unknown): Error & { readonly exitCode: 2 } {
  const error = cause === undefined ? new Error(message) : new Error(message, { cause });
  return Object.assign(error, { exitCode: 2 as const });
}
