// The command in a process of its own.

import { startScript } from "@fewnorm/command-line/testing";
import test from "tape";
import { createPicture } from "../src/command/live.ts";
import { parseOptions } from "../src/command/options.ts";
import { createStandings } from "../src/command/standings.ts";

const start = (args: readonly string[]) =>
  startScript(new URL("../src/main.js", import.meta.url), args);

test("lines for every test and a final table, without colours", async (t) => {
  const args = ["--micro", "16", "--norms", "bn,gn:8,bs:4,vdn:4", "--images", "600"];
  const { code, stdout, stderr } = await start(args).ended;
  t.equal(code, 0, stderr);
  for (const images of ["0", "512", "608"]) {
    t.ok(new RegExp(`^${images} images: bn .*%, gn:8 .*%, bs:4 .*%, vdn:4 .*%$`, "m").test(stdout));
  }
  t.equal(stdout.split("\n").filter((line) => /^│ \S+ +│ +608 │/.test(line)).length, 4, stdout);
  t.notOk(stdout.includes("\x1b"), "nothing but text");
});

test("Ctrl-C prints the table so far", async (t) => {
  const run = start(["--micro", "32", "--norms", "ln,none", "--images", "1000000"]);
  await run.says("512 images");
  run.child.kill("SIGINT");
  const { code, stdout } = await run.ended;
  t.equal(code, 130);
  t.ok(/│ ln +│/.test(stdout) && stdout.includes("interrupted before"), stdout);
});

test("a method that cannot be trained is named, and fails the command only if all do", async (t) => {
  const some = await start(["--norms", "bs:64,ln", "--images", "32"]).ended;
  t.equal(some.code, 0);
  t.ok(/^bs:64: /m.test(some.stdout), some.stdout);
  const none = await start(["--norms", "bs:64", "--images", "32"]).ended;
  t.equal(none.code, 1);
});

test("divergence in the last step fails the command if all methods diverge", async (t) => {
  const all = await start(["--norms", "none,ln", "--lr", "1e30", "--images", "32"]).ended;
  t.equal(all.code, 1, all.stderr);
  for (const name of ["none", "ln"]) {
    t.ok(new RegExp(`^${name}: diverged: .* test loss is NaN`, "m").test(all.stdout), all.stdout);
  }
  // At this rate ln's test loss is about 6e5 after three steps, and stays finite at 100 as well.
  const args = ["--norms", "none,ln", "--lr", "20", "--micro", "32", "--images", "96"];
  const some = await start(args).ended;
  t.equal(some.code, 0, some.stderr);
  t.ok(/^none: diverged: /m.test(some.stdout) && !/^ln: /m.test(some.stdout), some.stdout);
});

test("help", async (t) => {
  const { code, stdout } = await start(["--help"]).ended;
  t.equal(code, 0);
  t.ok(stdout.includes("--micro N") && stdout.includes("vdn:4"));
  t.ok(
    stdout.split("\n").every((line) => line.length <= 110),
    "no line is too long",
  );
});

test("a mistake is one line on stderr, and exit status 2", async (t) => {
  for (const [args, problem] of [
    [["--micro", "5"], /^demo:cli: --batch and --micro: .* micro-batches of 5; .*\n$/],
    [
      ["--batch", "4000"],
      /^demo:cli: --batch is 4000, .* 2000 images to train on; give at most 2000; .*\n$/,
    ],
  ] as const) {
    const { code, stderr, stdout } = await start(args).ended;
    t.equal(code, 2);
    t.match(stderr, problem);
    t.equal(stdout, "");
  }
});

test("mistakes name what to do instead", (t) => {
  const mistakes: readonly (readonly [args: readonly string[], named: string])[] = [
    [["--micro", "two"], "--micro two"],
    [["--norms", "bn,bz:4"], "bs:4"],
    [["--norms", "bn,ln,in,none,brn"], "at most 4"],
    [["--lr", "0"], "--lr 0"],
    [["--backend", "wsam"], "wasm"],
    [["--macro", "2"], "--micro"],
    [["--norm", "bn", "--norms", "bn"], "exclude each other"],
    [["bn"], "bn"],
  ];
  for (const [args, named] of mistakes) {
    t.throws(
      () => parseOptions(args),
      (error: Error & { exitCode?: number }) =>
        error.message.includes(named) && error.exitCode === 2,
      args.join(" "),
    );
  }
  t.end();
});

test("on a terminal curves move, and it is left clean", (t) => {
  let written = "";
  const terminal = {
    columns: 60,
    rows: 30,
    write(text: string | Uint8Array) {
      written += text;
      return true;
    },
  };
  let time = 0;
  const picture = createPicture(1000, terminal, () => time);
  const standings = createStandings(["bn", "vdn:16"]);
  const see = (method: number, images: number, loss: number) => {
    standings.see({ type: "step", method, images, seconds: 1, loss });
    picture.update(standings.all, false);
  };
  see(0, 500, 2);
  t.ok(written.startsWith("\x1b[?25l"), "the cursor is hidden");
  const once = written.length;
  see(1, 500, 1);
  t.equal(written.length, once, "no more than five pictures a second");
  time = 1000;
  see(0, 600, 2);
  const second = written.slice(once);
  const [up] = /\[(\d+)A/.exec(second)?.slice(1) ?? [];
  t.equal(Number(up), written.slice(0, once).split("\n").length - 1, "drawn over the first");
  t.ok(second.includes("●") && second.includes("▲"), "a sign for each curve");
  picture.stop(standings.all);
  t.ok(written.endsWith("\x1b[?25h"), "the cursor is back");
  t.end();
});

test("a picture fits its terminal, whatever that is", (t) => {
  const standings = createStandings(["3*vdn:2+1*bs:2@detached", "bn", "ln", "none"]);
  for (const [method] of standings.all.entries()) {
    standings.see({ type: "step", method, images: 500, seconds: 1, loss: 2 });
  }
  for (let rows = 2; rows <= 50; rows++) {
    let written = "";
    const write = (text: string | Uint8Array) => {
      written += text;
      return true;
    };
    createPicture(1000, { columns: 40, rows, write }, () => 0).update(standings.all, false);
    const lines = written.split("\n").length;
    t.ok(lines <= rows, `${lines} lines, the cursor's among them, on ${rows}`);
    t.equal(/training loss/.test(written), rows >= 10, "a chart where there is room for it");
    t.equal(/test accuracy/.test(written), rows >= 15, "and another");
    t.ok(
      written.indexOf("\x1b[?7l") < written.indexOf("vdn") && written.endsWith("\x1b[?7h\x1b[J"),
      "a long line is cut off, not wrapped, and only here",
    );
  }
  t.end();
});
