// Lets a process stand for its child: signals go down, the exit status comes up.

/** @param {import("node:child_process").ChildProcess} child */
export function passThrough(child) {
  const handlers = /** @type {NodeJS.Signals[]} */ (["SIGINT", "SIGTERM", "SIGHUP"]).map(
    (signal) => {
      const handler = () => {
        // On a terminal, Ctrl-C reaches the child by itself; twice may mean "at once" to it.
        if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
      };
      process.on(signal, handler);
      return { signal, handler };
    },
  );
  // pnpm hands a signal to the shell that started us, and the shell dies of it without handing it on.
  const parent = process.ppid;
  const orphaned = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(orphaned);
    child.kill("SIGTERM");
  }, 500);
  child.on("error", (error) => {
    console.error(error.message);
    process.exit(1);
  });
  child.on("exit", (code, signal) => {
    clearInterval(orphaned);
    for (const { signal: name, handler } of handlers) process.off(name, handler);
    if (signal) process.kill(process.pid, signal);
    else process.exitCode = code ?? 1;
  });
}
