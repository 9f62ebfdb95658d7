// What is shown while the methods train: moving curves on a terminal, a line for every test elsewhere.

import { type ChartOptions, chart, signs } from "./chart.ts";
import { percent, type Standing } from "./standings.ts";

export interface Live {
  /** After each event; `tested` says that all methods were tested since the last such call. */
  update(standings: readonly Standing[], tested: boolean): void;
  /** Leaves the terminal as it was found, with the last picture on it. */
  stop(standings: readonly Standing[]): void;
}

/** Milliseconds from one picture to the next. */
const pause = 200;

/** Red, yellow, blue, green. */
const colours = [31, 33, 34, 32];

/** A terminal, as far as pictures need to know it. */
export type Terminal = Pick<NodeJS.WriteStream, "write" | "columns" | "rows">;

/** @param images that each method will have seen in the end */
export function createPicture(
  images: number,
  terminal: Terminal,
  now: () => number = () => performance.now(),
): Live {
  const colourful = !process.env.NO_COLOR;
  const paint = (method: number, sign: string) =>
    colourful ? `\x1b[${colours[method]}m${sign}\x1b[0m` : sign;
  let height = 0;
  let drawn = Number.NEGATIVE_INFINITY;

  function picture(standings: readonly Standing[]): string[] {
    const { columns = 80, rows = 24 } = terminal;
    // What the legend and a line for the cursor leave, to two charts, or one, or none: each of 3 lines or more, with
    // title and axis.
    const room = rows - standings.length - 1;
    const charts = Math.min(2, Math.floor(room / 5));
    const lines = Math.min(12, Math.floor(room / charts) - 2);
    const size = { columns: Math.min(columns, 100) - 1, lines, images, paint };
    const loss: ChartOptions = {
      ...size,
      title: "training loss, smoothed",
      top: 3,
      format: (value) => value.toFixed(1),
    };
    const accuracy: ChartOptions = {
      ...size,
      title: "test accuracy",
      top: 1,
      format: shortPercent,
    };
    const legend = standings.map(({ name, tested, images: seen, failure }, i) => {
      const stands = failure === undefined ? "" : " (stopped)";
      const found = tested === undefined ? "–" : percent(tested.accuracy);
      return `${paint(i, signs[i] ?? "*")} ${name.padEnd(10)} ${found.padStart(6)}  ${seen} images${stands}`;
    });
    const curvesOf = (value: "loss" | "accuracy") => standings.map(({ curves }) => curves[value]);
    return [
      ...(charts > 0 ? chart(curvesOf("loss"), loss) : []),
      // The legend tells the accuracy, too.
      ...(charts > 1 ? chart(curvesOf("accuracy"), accuracy) : []),
      ...legend,
    ].slice(0, Math.max(1, rows - 1));
  }

  function draw(standings: readonly Standing[]): void {
    const lines = picture(standings);
    // Back to the first line, and everything from there on anew; the cursor is hidden meanwhile. Lines that are too long
    // are cut off: wrapped, they would be more than one goes back.
    const back = height === 0 ? "\x1b[?25l" : `\x1b[${height}A`;
    const text = lines.map((line) => `\x1b[2K${line}\n`).join("");
    terminal.write(`${back}\r\x1b[?7l${text}\x1b[?7h\x1b[J`);
    height = lines.length;
    drawn = now();
  }

  return {
    update(standings) {
      if (now() - drawn >= pause) draw(standings);
    },
    stop(standings) {
      draw(standings);
      terminal.write("\x1b[?25h");
    },
  };
}

const shortPercent = (share: number): string => `${Math.round(100 * share)}%`;

export function createLines(write: (line: string) => void): Live {
  return {
    update(standings, tested) {
      if (!tested) return;
      const racing = standings.filter(({ failure }) => failure === undefined);
      const found = racing.map(
        ({ name, tested: last }) => `${name} ${percent(last?.accuracy ?? 0)}`,
      );
      const [first] = racing;
      if (first !== undefined) write(`${first.images} images: ${found.join(", ")}`);
    },
    stop() {},
  };
}
