// Runs the command in a process of its own.

import { type Ended, type Running, startScript } from "@fewnorm/command-line/testing";

const main = new URL("../src/main.js", import.meta.url);

export const start = (args: readonly string[], env?: Record<string, string>): Running =>
  startScript(main, args, env);

export const bench = (args: readonly string[], env?: Record<string, string>): Promise<Ended> =>
  start(args, env).ended;
