// The command that measures: normalization alone, a training step, a short training.
import { runCommand } from "@fewnorm/command-line";
import { helpText } from "./help.ts";
import { run } from "./run.ts";
import { suites } from "./suites.ts";

await runCommand({ name: "bench", help: helpText(suites), run });
