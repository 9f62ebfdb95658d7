// Ctrl-C and SIGTERM: the first ends the comparison after its step, the second at once.

export interface Interrupt {
  /** 130 or 143 once a signal has come. */
  exitCode(): number | undefined;
  /** Stops listening. */
  dispose(): void;
}

const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const;

/** @param atOnce called before the process exits at a second signal */
export function listenForInterrupt(atOnce: () => void): Interrupt {
  let exitCode: number | undefined;
  const listeners = (["SIGINT", "SIGTERM"] as const).map((name) => {
    const listener = () => {
      if (exitCode !== undefined) {
        atOnce();
        process.exit(exitCodes[name]);
      }
      exitCode = exitCodes[name];
    };
    process.on(name, listener);
    return { name, listener };
  });
  return {
    exitCode: () => exitCode,
    dispose() {
      for (const { name, listener } of listeners) process.off(name, listener);
    },
  };
}
