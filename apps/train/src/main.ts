// The command that trains a model on a data set.
import { runCommand } from "@fewnorm/command-line";
import { help } from "./help.ts";
import { run } from "./run.ts";

await runCommand({ name: "train", help, run });
