import { spawn } from "node:child_process";
import { once } from "node:events";
import test from "tape";

const module = new URL("../src/pass-through.mjs", import.meta.url).href;

/** Arguments to Node: stand for a child running `code`. @param {string} code */
function scriptOf(code) {
  const script = `
    import { spawn } from "node:child_process";
    import { passThrough } from ${JSON.stringify(module)};
    passThrough(spawn(process.execPath, ["-e", ${JSON.stringify(code)}], { stdio: "inherit" }));
  `;
  return ["--input-type=module", "-e", script];
}

/** @param {string} code */
function parentOf(code) {
  return spawn(process.execPath, scriptOf(code), {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

test("passThrough ends with the child's exit status", async (t) => {
  t.deepEqual(await once(parentOf("process.exit(3)"), "exit"), [3, null]);
  t.deepEqual(await once(parentOf(""), "exit"), [0, null]);
});

test("passThrough hands signals on and waits for the child to answer", async (t) => {
  for (const signal of /** @type {const} */ (["SIGTERM", "SIGINT"])) {
    const parent = parentOf(`
      process.on("${signal}", () => process.exit(5));
      setInterval(() => {}, 1000);
      console.log("ready");
    `);
    await once(parent.stdout, "data");
    parent.kill(signal);
    t.deepEqual(await once(parent, "exit"), [5, null], signal);
  }
});

test("passThrough ends by the signal that ended the child", async (t) => {
  t.deepEqual(await once(parentOf("process.kill(process.pid, 'SIGKILL')"), "exit"), [
    null,
    "SIGKILL",
  ]);
});

test("passThrough ends the child when the shell in between has died", async (t) => {
  const inner = `
    process.on("SIGTERM", () => { console.log("ended"); process.exit(); });
    setInterval(() => {}, 1000);
    console.log("ready");
  `;
  const parent = spawn("sh", ["-c", '"$@"; :', "sh", process.execPath, ...scriptOf(inner)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.equal(String((await once(parent.stdout, "data"))[0]), "ready\n");
  parent.kill("SIGTERM");
  t.equal(String((await once(parent.stdout, "data"))[0]), "ended\n");
});
