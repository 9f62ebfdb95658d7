// The command that tells what models consist of and need.
import { run } from "./run.ts";

// A reader that goes away, such as `head`, ends the output.
process.stdout.on("error", () => {});

try {
  process.stdout.write(run(process.argv.slice(2)));
} catch (error) {
  const { message, exitCode = 1 } = error as Error & { exitCode?: number };
  process.stderr.write(`${message}\n`);
  process.exitCode = exitCode;
}
