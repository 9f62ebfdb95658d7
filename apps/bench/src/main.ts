// The command that measures: normalization alone, a training step, a short training.
import { describeError, exitCodeOf } from "./failure.ts";
import { run } from "./run.ts";

// A reader that goes away, such as `head`, ends the output and not the measurement.
process.stdout.on("error", () => {});

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`);
  process.exitCode = exitCodeOf(error);
}
