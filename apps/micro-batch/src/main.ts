// The command that trains methods side by side in a terminal.
import { describeError, exitCodeOf } from "./command/failure.ts";
import { run } from "./command/run.ts";

// A reader that goes away, such as `head`, ends the output and not the training.
process.stdout.on("error", () => {});

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`);
  process.exitCode = exitCodeOf(error);
}
