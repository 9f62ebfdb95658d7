// The command that tells what models consist of and need.
import { runCommand } from "@fewnorm/command-line";
import { help } from "./help.ts";
import { run } from "./run.ts";

await runCommand({ name: "models", help, run });
