// Gives the event loop a turn: signals and terminals are served by it, and backends may never return to it by themselves.

/** Resolves after what is waiting there. Pages have no setImmediate. */
export const turn = (): Promise<void> =>
  new Promise((resolve) => {
    if (typeof setImmediate === "function") setImmediate(resolve);
    else setTimeout(resolve);
  });
