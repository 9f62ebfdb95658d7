// What is shown while a training goes on, and the rates that a schedule asks for.
import { Writable } from "node:stream";
import { loadEmbedded } from "@fewnorm/data";
import { stepsPerEpoch } from "@fewnorm/train";
import test from "tape";
import { resolveConfig } from "../src/config.ts";
import { createMeter } from "../src/meter.ts";
import { scheduleOf } from "../src/prepare.ts";
import { createBar, createLines } from "../src/progress.ts";
import { duration, rate, shellWord } from "../src/words.ts";

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

test("a meter leaves out the first step, unless there is no other, and looks at the last twenty", (t) => {
  const step = (number: number, imagesPerSecond: number) =>
    ({
      type: "step",
      step: number,
      epoch: 1,
      loss: 1,
      accuracy: 0,
      learningRate: 1,
      imagesPerSecond,
    }) as const;
  const start = { type: "start", step: 0, epoch: 0, stepsPerEpoch: 30, parameters: 1 } as const;
  const meter = createMeter(8);
  meter.see({ ...start, steps: 30 });
  meter.see(step(1, 1));
  t.deepEqual(
    [meter.recent(), meter.overall(), meter.secondsLeft()],
    [undefined, undefined, undefined],
  );
  meter.see(step(2, 8));
  meter.see(step(3, 4));
  // 16 images in 1 + 2 seconds, and 27 steps of 8 images to go.
  t.equal(meter.recent(), 16 / 3);
  t.equal(meter.secondsLeft(), (27 * 8) / (16 / 3));
  meter.see({ type: "evaluation", step: 3, epoch: 1, loss: 1, accuracy: 1, count: 8 });
  for (let number = 4; number <= 23; number++) meter.see(step(number, 16));
  t.equal(meter.recent(), 16, "twenty steps of half a second");
  t.equal(meter.overall(), (22 * 8) / 13, "and two that took 1 and 2");
  const last = createMeter(8);
  last.see({ ...start, step: 29, steps: 30 });
  last.see(step(30, 2));
  t.deepEqual([last.overall(), last.secondsLeft()], [2, 0], "a resumed training's only step");
  t.end();
});

test("without a terminal there is a line for each epoch and test, and one after half a minute without", (t) => {
  let now = 0;
  const lines: string[] = [];
  const shown = createLines(
    3,
    createMeter(4),
    (line) => lines.push(line),
    () => now,
  );
  const step = { type: "step", epoch: 2, loss: 0.25, accuracy: 0, learningRate: 1 } as const;
  const seen = (at: number, number: number) => {
    now = at;
    shown.see({ ...step, step: number, imagesPerSecond: 1 });
  };
  seen(30_000, 1);
  t.deepEqual(lines, [], "half a minute is not over");
  seen(30_001, 2);
  t.deepEqual(lines, ["epoch 2/3, step 2: loss 0.2500, ? images/s, ? left"]);
  seen(60_001, 3);
  t.equal(lines.length, 1);
  shown.see({ type: "epoch", step: 3, epoch: 2, loss: 0.5, accuracy: 0.25 });
  t.equal(lines[1], "epoch 2/3: training loss 0.5000, accuracy 25.00%; ? images/s, ? left");
  seen(90_001, 4);
  t.equal(lines.length, 2, "counted from the line before");
  t.end();
});

test("times, rates and words of a shell", (t) => {
  const times: [number | undefined, string][] = [
    [59.4, "59 s"],
    [59.5, "1 min 00 s"],
    [185, "3 min 05 s"],
    [3599.5, "1 h 00 min"],
    [2 * 3600 + 7 * 60 + 59, "2 h 07 min"],
    [undefined, "?"],
    [Infinity, "?"],
  ];
  for (const [seconds, text] of times) t.equal(duration(seconds), text);
  t.deepEqual([9.994, 10, undefined].map(rate), ["9.99 images/s", "10 images/s", "? images/s"]);
  const words = ["runs/a-1_b:2,c", "an out", "it's", "a;b", ""];
  t.deepEqual(words.map(shellWord), ["runs/a-1_b:2,c", "'an out'", "'it'\\''s'", "'a;b'", "''"]);
  t.end();
});

test("the rate rises in the warm-up, and then stays or falls", async (t) => {
  const dataset = await loadEmbedded();
  const given = { epochs: 2, batch: 250, lr: 1 };
  const config = resolveConfig({ ...given, warmup: 0.5 }, undefined);
  const perEpoch = stepsPerEpoch(dataset, 250);
  const warm = Math.round(perEpoch / 2);
  for (const schedule of ["cosine", "constant", "step"] as const) {
    const at = scheduleOf({ ...config, schedule, milestones: [1] }, dataset);
    const rising = Array.from({ length: warm }, (_, step) => at(step));
    t.deepEqual(
      rising,
      rising.map((_, step) => (step + 1) / warm),
      schedule,
    );
    t.equal(at(warm), 1);
    const end = { cosine: 0, constant: 1, step: 0.1 }[schedule];
    t.ok(Math.abs(at(2 * perEpoch) - end) < 1e-12, `in the end ${end}`);
  }
  const early = scheduleOf({ ...config, schedule: "step", warmup: 1.5, milestones: [1] }, dataset);
  t.equal(early(perEpoch), (perEpoch + 1) / Math.round(1.5 * perEpoch), "it rises to --lr");
  const steep = scheduleOf({ ...config, warmup: 1.999 }, dataset);
  t.ok(steep(2 * perEpoch - 1) > 0, "the last step is no warm-up");
  t.end();
});
