// Memory stays flat over a training, though nothing is ever disposed for a step.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import test from "tape";

test("the resident set grows by less than 2% from step 100 to step 1,000", async (t) => {
  // V8 fills its young generation, 2 × 16 MB, once before it begins to reuse it: at a few kilobytes a step
  // this takes longer than the test. With 1 MB it is over before step 100.
  const script = fileURLToPath(new URL("./steady-steps.js", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--expose-gc",
    "--max-semi-space-size=1",
    script,
  ]);
  const { early, late } = JSON.parse(stdout) as { early: number; late: number };
  t.ok(late < 1.02 * early, `${early} bytes at step 100, ${late} at step 1,000`);
});
