// The command that writes a trained model as an ONNX file.
import { runCommand } from "@fewnorm/command-line";
import { help } from "./help.ts";
import { run } from "./run.ts";

await runCommand({ name: "export", help, run });
