// A command in a process of its own: exit status, output and signals.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { startScript } from "@fewnorm/command-line/testing";
import test from "tape";

const script = new URL("echo.js", import.meta.url);
const echo = fileURLToPath(script);

const command = (args: readonly string[], env?: Record<string, string>) =>
  startScript(script, args, env).ended;

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
    `${(await command(["mistake", message], { FEWNORM_DEBUG: "1" })).stderr}`,
    /^Error: a\\x1b\[2Jb\\x0dc\\x9bd\\u202ee\tä\n\s+at /,
    "in stacks, too",
  );
});

test("FEWNORM_DEBUG shows the stack and the causes", async (t) => {
  const { code, stderr } = await command(["mistake", "--a"], { FEWNORM_DEBUG: "1" });
  t.equal(code, 2);
  t.match(`${stderr}`, /^Error: --a\n\s+at /);
  t.match(`${stderr}`, /\ncaused by RangeError: noticed here\n\s+at .*echo/);
  t.match(
    `${(await command(["fail"], { FEWNORM_DEBUG: "1" })).stderr}`,
    /\ncaused by the cause\n$/,
  );
});

test("the first signal is followed, the second ends at once", async (t) => {
  const said = "waiting\naborted\nfirst\n";
  /** Ends once each signal has been sent, the second after all that the first has brought. */
  const signalled = async (how: string, ...signals: readonly NodeJS.Signals[]) => {
    const { child, says, ended } = startScript(script, ["wait", how]);
    for (const [i, signal] of signals.entries()) {
      await says(["waiting\n", "first\n"][i] as string);
      child.kill(signal);
    }
    return ended;
  };
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    const once = await signalled("once", signal);
    t.deepEqual(once, { ...ended, code, stdout: said }, signal);
    const twice = await signalled("twice", "SIGINT", signal);
    t.deepEqual(twice, { ...ended, code, stdout: `${said}second\n` }, `SIGINT, ${signal}`);
    const deaf = await signalled("disposed", signal);
    t.equal(deaf.signal, signal, "nobody listens any more");
  }
});
