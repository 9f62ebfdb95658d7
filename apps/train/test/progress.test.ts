// What is shown while a training goes on, and the rates that a schedule asks for.
import { Writable } from "node:stream";
import { loadEmbedded } from "@fewnorm/data";
import { stepsPerEpoch } from "@fewnorm/train";
import test from "tape";
import { resolveConfig } from "../src/config.ts";
import { createMeter } from "../src/meter.ts";
import { scheduleOf } from "../src/prepare.ts";
import { createBar } from "../src/progress.ts";

/** A terminal that remembers what is written to it. */
function terminal() {
  let written = "";
  const stream = new Writable({
    write(chunk, _, done) {
      written += chunk;
      done();
    },
  });
  const tty = Object.assign(stream, { isTTY: true, columns: 100, rows: 30 });
  return { stream: tty as unknown as NodeJS.WriteStream, written: () => written };
}

test("on a terminal no line is lost, however soon the end comes", (t) => {
  const { stream, written } = terminal();
  const bar = createBar(2, createMeter(4), stream);
  const place = { step: 0, epoch: 0 };
  bar.see({ type: "start", ...place, steps: 2, stepsPerEpoch: 1, parameters: 1 });
  bar.line("a word in between");
  bar.see({ type: "epoch", step: 1, epoch: 1, loss: 1, accuracy: 0.5 });
  bar.see({ type: "evaluation", step: 1, epoch: 1, loss: 1, accuracy: 0.25, count: 4 });
  bar.stop();
  for (const line of ["a word in between", "epoch 1/2: training loss", "test accuracy 25.00%"]) {
    t.ok(written().includes(line), line);
  }
  t.end();
});

test("the steps of a training of one epoch come after a half and three quarters of it", async (t) => {
  const dataset = await loadEmbedded();
  const config = resolveConfig({ epochs: 1, schedule: "step", warmup: 0, lr: 1 }, undefined);
  const schedule = scheduleOf(config, dataset);
  const steps = stepsPerEpoch(dataset, config.batch);
  const rates = Array.from({ length: steps }, (_, step) => schedule(step));
  t.equal(rates[0], 1);
  const falls = rates.flatMap((rate, step) => (step > 0 && rate !== rates[step - 1] ? [step] : []));
  t.deepEqual(falls, [Math.round(steps / 2), Math.round(0.75 * steps)]);
  t.ok(Math.abs((rates.at(-1) ?? 0) - 0.01) < 1e-9, "a tenth each time");
});
