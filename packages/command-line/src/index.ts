// What the commands share.

export { formatNorms, wrapNames } from "./help.ts";
export { type Interrupt, listenForInterrupt } from "./interrupt.ts";
export { newerNode } from "./newer-node.ts";
export {
  checkExclusive,
  type Option,
  type Parsed,
  parseArguments,
  readText,
  several,
  type Values,
} from "./parse-arguments.ts";
export { printable } from "./printable.ts";
export {
  above,
  atLeast,
  fraction,
  list,
  name,
  names,
  oneOf,
  type Reader,
  type Shapes,
  shape,
  text,
  whole,
} from "./readers.ts";
export { type Command, runCommand } from "./run-command.ts";
export { loadStrategy } from "./strategy-module.ts";
export { formatTable } from "./table.ts";
export { isTerminal } from "./terminal.ts";
export { usageError } from "./usage-error.ts";
