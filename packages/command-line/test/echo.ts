// A command for the tests: it does what its first argument says.
import { listenForInterrupt, runCommand, usageError } from "@fewnorm/command-line";

await runCommand({
  name: "echo",
  help: "Says what it was given.\n",
  async run([what, ...rest]) {
    const say = (line: string) => process.stdout.write(`${line}\n`);
    if (what === "fail") throw new Error("first line\n  second line", { cause: "the cause" });
    if (what === "mistake") throw usageError(rest.join(" "), new RangeError("noticed here"));
    if (what === "throw-nothing") throw undefined;
    if (what === "wait") {
      const interrupt = listenForInterrupt({
        onFirst: () => say("first"),
        onSecond: () => say("second"),
      });
      interrupt.signal.addEventListener("abort", () => say("aborted"));
      const busy = setInterval(() => {}, 1000);
      // "once" ends in good order, "twice" only at once, "disposed" does not listen any more.
      const [times] = rest;
      if (times === "disposed") interrupt.dispose();
      say("waiting");
      await new Promise<void>((resolve) => {
        if (times === "once") interrupt.signal.addEventListener("abort", () => resolve());
      });
      clearInterval(busy);
      interrupt.dispose();
      return interrupt.exitCode() ?? 0;
    }
    say([what, ...rest].join(" "));
    return 7;
  },
});
