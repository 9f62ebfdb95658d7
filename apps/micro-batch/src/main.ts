// The command that trains methods side by side in a terminal.
import { runCommand } from "@fewnorm/command-line";
import { help } from "./command/help.ts";
import { run } from "./command/run.ts";

await runCommand({ name: "demo:cli", help, run });
