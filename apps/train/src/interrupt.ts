// Ctrl-C and SIGTERM: the first ends the training after its step, the second at once.

/** Which signal came, and an AbortSignal that follows it. */
export interface Interrupt {
  readonly signal: AbortSignal;
  /** 130 or 143 once a signal has come. */
  exitCode(): number | undefined;
  /** Stops listening. */
  dispose(): void;
}

const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const;

/** @param notice called at the first signal */
export function listenForInterrupt(notice: () => void): Interrupt {
  const controller = new AbortController();
  let exitCode: number | undefined;
  const listeners = (["SIGINT", "SIGTERM"] as const).map((name) => {
    const listener = () => {
      if (exitCode !== undefined) process.exit(exitCodes[name]);
      exitCode = exitCodes[name];
      controller.abort();
      notice();
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
