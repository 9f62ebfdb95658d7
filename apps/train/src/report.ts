// What the user sees of a training: how it begins, and its progress.

import { isTerminal, newerNode, printable } from "@fewnorm/command-line";
import type { TrainEvent } from "@fewnorm/train";
import type { Config } from "./config.ts";
import { createMeter } from "./meter.ts";
import type { Prepared } from "./prepare.ts";
import { createBar, createLines, noProgress } from "./progress.ts";
import type { Resume } from "./training.ts";

/** Shows events as they come, and measures the pace. */
export interface Report {
  see(event: TrainEvent): void;
  line(text: string): void;
  /** A line on stderr, with --quiet too. */
  warn(text: string): void;
  /** Over all steps seen. */
  imagesPerSecond(): number | undefined;
  stop(): void;
}

/** Says what will be trained, and returns what shows the rest. With --quiet it shows nothing. */
export function createReport(config: Config, prepared: Prepared, from?: Resume): Report {
  const { epochs, batch, quiet } = config;
  const meter = createMeter(batch);
  if (!quiet) for (const line of beginning(config, prepared, from)) console.log(line);
  const hasBar = !quiet && isTerminal(process.stderr);
  const progress = quiet
    ? noProgress
    : hasBar
      ? createBar(epochs, meter, process.stderr)
      : createLines(epochs, meter, (line) => console.log(line));
  return {
    see(event) {
      meter.see(event);
      progress.see(event);
    },
    line: progress.line,
    warn: hasBar ? progress.line : (text) => console.error(text),
    imagesPerSecond: meter.overall,
    stop: progress.stop,
  };
}

/** An engine, as far as it decides on rounding: vectors of 8 floats give the bits of vectors of 4. */
const rounding = (engine: unknown) => String(engine).replace("wide SIMD", "relaxed SIMD");

function beginning(
  config: Config,
  { dataset, backend, trainer }: Prepared,
  from?: Resume,
): string[] {
  const { train, test, shape } = dataset;
  const { batch, micro } = trainer;
  const origin =
    config.data === undefined ? " (it comes with fewnorm; --data trains on yours)" : "";
  const lines = [
    `${config.model} with ${config.norm} on ${dataset.name}${origin}: ${train.count} + ${test.count} images of ${shape.join("×")}`,
    `${backend.description}, batch ${batch}${micro === batch ? "" : ` in micro-batches of ${micro}`}, ${config.epochs} ${config.epochs === 1 ? "epoch" : "epochs"}, seed ${config.seed}`,
  ];
  const hint = newerNode(backend.description);
  if (hint !== undefined) lines.push(hint);
  if (config.init !== undefined && from === undefined) lines.push(`beginning with ${config.init}`);
  if (config.out === undefined) {
    const writes = config.save !== undefined || config.jsonl !== undefined;
    const what = writes ? "no checkpoint" : "nothing";
    lines.push(`${what} will be written, since there is no --out`);
  }
  if (from !== undefined) {
    const { step, notes } = from.checkpoint;
    lines.push(`going on from ${from.where}, after step ${step}`);
    if (rounding(notes.engine) !== rounding(backend.description)) {
      lines.push(
        `note: it was ${printable(`${notes.engine}`)} before and is ${backend.description}: results differ in rounding`,
      );
    }
  }
  return lines;
}
