// What is shown while a training goes on: a bar on a terminal, plain lines elsewhere.

import type { TrainEvent } from "@fewnorm/train";
import cliProgress from "cli-progress";
import type { Meter } from "./meter.ts";
import { duration, percent, rate, shortNumber } from "./words.ts";

/** Shows events as they come. */
export interface Progress {
  see(event: TrainEvent): void;
  /** A line of text among what is shown. */
  line(text: string): void;
  /** Takes the bar away. */
  stop(): void;
}

export const noProgress: Progress = { see() {}, line() {}, stop() {} };

/** Bar and lines on `terminal`. */
export function createBar(epochs: number, meter: Meter, terminal: NodeJS.WriteStream): Progress {
  const bars = new cliProgress.MultiBar(
    {
      format: "{bar} {percentage}% | epoch {epoch} | loss {loss} | {rate} | {left} left",
      stream: terminal,
      barsize: 24,
      clearOnComplete: true,
      hideCursor: true,
      fps: 5,
      // The loop listens to Ctrl-C itself.
      gracefulExit: false,
    },
    cliProgress.Presets.shades_classic,
  );
  let bar: cliProgress.SingleBar | undefined;
  let loss = "?";
  const line = (text: string) => {
    bars.log(`${text}\n`);
    // Logging only keeps it for the next update, and stopping throws away what is kept.
    bars.update();
  };
  return {
    see(event) {
      if (event.type === "step") loss = shortNumber(event.loss);
      const shown = {
        epoch: `${event.epoch}/${epochs}`,
        loss,
        rate: rate(meter.recent()),
        left: duration(meter.secondsLeft()),
      };
      if (event.type === "start") bar = bars.create(event.steps, event.step, shown);
      else if (event.type === "step") bar?.update(event.step, shown);
      const text = describe(event, epochs, meter);
      if (text !== undefined) line(text);
    },
    line,
    stop: () => bars.stop(),
  };
}

/** A line for every epoch and test, and one now and then within a long epoch. */
export function createLines(
  epochs: number,
  meter: Meter,
  write: (line: string) => void,
  now: () => number = () => performance.now(),
): Progress {
  const pause = 30_000;
  let written = now();
  return {
    see(event) {
      let text = describe(event, epochs, meter);
      if (event.type === "step" && now() - written > pause) {
        text = `epoch ${event.epoch}/${epochs}, step ${event.step}: loss ${shortNumber(event.loss)}, ${pace(meter)}`;
      }
      if (text === undefined) return;
      written = now();
      write(text);
    },
    line: write,
    stop() {},
  };
}

const pace = (meter: Meter) => `${rate(meter.recent())}, ${duration(meter.secondsLeft())} left`;

function describe(event: TrainEvent, epochs: number, meter: Meter): string | undefined {
  const where = `epoch ${event.epoch}/${epochs}`;
  if (event.type === "epoch") {
    return `${where}: training loss ${shortNumber(event.loss)}, accuracy ${percent(event.accuracy)}; ${pace(meter)}`;
  }
  if (event.type === "evaluation") {
    return `${where}: test accuracy ${percent(event.accuracy)}, loss ${shortNumber(event.loss)}`;
  }
  return undefined;
}
