// A command in a process of its own: exit status, output and signals.
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import test from "tape";

const echo = fileURLToPath(new URL("echo.js", import.meta.url));

/** @param signals sent one after the other, each once the last output has been answered */
function command(
  args: readonly string[],
  { debug = "", signals = [] }: { debug?: string; signals?: readonly NodeJS.Signals[] } = {},
) {
  const child = spawn(process.execPath, [echo, ...args], {
    env: { ...process.env, FEWNORM_DEBUG: debug },
  });
  const left = [...signals];
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    const signal = left[0];
    // The first signal has been dealt with once all of its lines are there.
    if (signal === undefined || !/waiting\n$|first\n$/.test(stdout)) return;
    left.shift();
    child.kill(signal);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  return new Promise<Record<"code" | "signal" | "stdout" | "stderr", unknown>>((resolve) => {
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

const ended = { signal: null, stdout: "", stderr: "" };

test("the exit status is what the command returns; pnpm's -- is not handed on", async (t) => {
  t.deepEqual(await command(["a", "--", "b"]), { ...ended, code: 7, stdout: "a -- b\n" });
  t.deepEqual(await command(["--", "a"]), { ...ended, code: 7, stdout: "a\n" });
  t.deepEqual(await command([]), { ...ended, code: 7, stdout: "\n" });
});

test("output that cannot be written is a failure, a reader that goes away is none", async (t) => {
  const full = existsSync("/dev/full");
  if (!full) t.skip("there is no /dev/full here");
  else {
    const { status, stderr } = spawnSync("sh", [
      "-c",
      `"${process.execPath}" "${echo}" a > /dev/full`,
    ]);
    t.equal(status, 1);
    t.match(`${stderr}`, /^echo: cannot write the output \(.*ENOSPC.*\)\n$/);
  }
  const closed = spawnSync("sh", [
    "-c",
    `"${process.execPath}" "${echo}" mistake a 2>&- ; echo $?`,
  ]);
  t.equal(`${closed.stdout}`, "2\n", "a closed stderr changes no exit status");
  t.end();
});

test("help is printed wherever it is asked for", async (t) => {
  for (const args of [["--help"], ["-h"], ["--", "--help"], ["fail", "--help"]]) {
    const expected = { ...ended, code: 0, stdout: "Says what it was given.\n" };
    t.deepEqual(await command(args), expected, args.join(" "));
  }
});

test("a failure is one line; a mistake names the help", async (t) => {
  const one = { ...ended, code: 1, stderr: "first line second line\n" };
  t.deepEqual(await command(["fail"]), one);
  t.deepEqual(await command(["throw-nothing"]), { ...one, stderr: "undefined\n" });
  const lines = [
    ["--a is empty", "echo: --a is empty; see pnpm echo --help\n"],
    ["did you mean --b?", "echo: did you mean --b? See pnpm echo --help\n"],
  ] as const;
  for (const [message, stderr] of lines) {
    t.deepEqual(await command(["mistake", message]), { ...ended, code: 2, stderr });
  }
});

test("what a terminal would obey is spelt out", async (t) => {
  const message = "a\x1b[2Jb\rc\x9bd\u202ee\tä";
  const shown = "a\\x1b[2Jb\\x0dc\\x9bd\\u202ee\tä";
  const { stderr } = await command(["mistake", message]);
  t.equal(stderr, `echo: ${shown}; see pnpm echo --help\n`);
  t.match(
    `${(await command(["mistake", message], { debug: "1" })).stderr}`,
    /^Error: a\\x1b\[2Jb\\x0dc\\x9bd\\u202ee\tä\n\s+at /,
    "in stacks, too",
  );
});

test("FEWNORM_DEBUG shows the stack and the causes", async (t) => {
  const { code, stderr } = await command(["mistake", "--a"], { debug: "1" });
  t.equal(code, 2);
  t.match(`${stderr}`, /^Error: --a\n\s+at /);
  t.match(`${stderr}`, /\ncaused by RangeError: noticed here\n\s+at .*echo/);
  t.match(`${(await command(["fail"], { debug: "1" })).stderr}`, /\ncaused by the cause\n$/);
});

test("the first signal is followed, the second ends at once", async (t) => {
  const said = "waiting\naborted\nfirst\n";
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    const once = await command(["wait", "once"], { signals: [signal] });
    t.deepEqual(once, { ...ended, code, stdout: said }, signal);
    const twice = await command(["wait", "twice"], { signals: ["SIGINT", signal] });
    t.deepEqual(twice, { ...ended, code, stdout: `${said}second\n` }, `SIGINT, ${signal}`);
    const deaf = await command(["wait", "disposed"], { signals: [signal] });
    t.equal(deaf.signal, signal, "nobody listens any more");
  }
});
