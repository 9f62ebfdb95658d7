// Ctrl-C and SIGTERM: the first ends the work in good order, the second at once.

/** Which signal came, and an AbortSignal that follows it. */
export interface Interrupt {
  readonly signal: AbortSignal;
  /** 130 or 143 once a signal has come. */
  exitCode(): number | undefined;
  /** Stops listening. */
  dispose(): void;
}

const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Listens until it is disposed of.
 * @param onFirst called at the first signal
 * @param onSecond called at the second, before the process exits
 */
export function listenForInterrupt({
  onFirst = () => {},
  onSecond = () => {},
}: {
  readonly onFirst?: () => void;
  readonly onSecond?: () => void;
} = {}): Interrupt {
  const controller = new AbortController();
  let exitCode: number | undefined;
  const listeners = (["SIGINT", "SIGTERM"] as const).map((name) => {
    const listener = () => {
      if (exitCode !== undefined) {
        onSecond();
        process.exit(exitCodes[name]);
      }
      exitCode = exitCodes[name];
      controller.abort();
      onFirst();
    };
    process.on(name, listener);
    return { name, listener };
  });
  return {
    signal: controller.signal,
    exitCode: () => exitCode,
    dispose() {
      for (const { name, listener } of listeners) process.off(name, listener);
    },
  };
}
