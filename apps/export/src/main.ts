// The command that writes a trained model as an ONNX file.
import { describeError, exitCodeOf } from "./failure.ts";
import { run } from "./run.ts";

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`);
  process.exitCode = exitCodeOf(error);
}
