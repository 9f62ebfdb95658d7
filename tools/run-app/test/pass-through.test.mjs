import { spawn } from "node:child_process";
import { once } from "node:events";
import test from "tape";

const module = new URL("../src/pass-through.mjs", import.meta.url).href;

/** A process that stands for a child running `code`. @param {string} code */
function parentOf(code) {
  const script = `
    import { spawn } from "node:child_process";
    import { passThrough } from ${JSON.stringify(module)};
    passThrough(spawn(process.execPath, ["-e", ${JSON.stringify(code)}], { stdio: "inherit" }));
  `;
  return spawn(process.execPath, ["--input-type=module", "-e", script], {
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
