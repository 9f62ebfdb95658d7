// The bar of a suite, on a terminal that remembers what is written to it.

import { PassThrough } from "node:stream";
import test from "tape";
import { createBar } from "../src/terminal.ts";

test("what cannot move its cursor gets no bar", (t) => {
  const { TERM } = process.env;
  for (const [isTTY, term, written] of [
    [true, "xterm", true],
    [true, "dumb", false],
    [false, "xterm", false],
  ] as const) {
    process.env.TERM = term;
    const stream = Object.assign(new PassThrough({ encoding: "utf8" }), { isTTY, columns: 100 });
    const span = { began: performance.now(), deadline: performance.now() + 1000 };
    const bar = createBar("norm", span, stream as unknown as NodeJS.WriteStream);
    bar.status("round 1");
    bar.stop();
    t.equal(stream.read() !== null, written, `a terminal: ${isTTY}, TERM=${term}`);
  }
  if (TERM === undefined) delete process.env.TERM;
  else process.env.TERM = TERM;
  t.end();
});

test("the bar erases nothing that is printed before its first status", (t) => {
  const stream = new PassThrough({ encoding: "utf8" });
  const tty = Object.assign(stream, { isTTY: true, columns: 100, rows: 30 });
  const span = { began: performance.now(), deadline: performance.now() + 1000 };
  const create = () => createBar("norm", span, tty as unknown as NodeJS.WriteStream);
  const unused = create();
  unused.stop();
  const bar = create();
  t.equal(stream.read(), null, "nothing is drawn, and no place remembered to return to");
  bar.status("round 1");
  bar.stop();
  const written: string = stream.read();
  t.match(written, /norm .*% /, "it is drawn with a status");
  t.ok(written.endsWith("\x1b[1G\x1b[2K"), "and erased again");
  t.end();
});
