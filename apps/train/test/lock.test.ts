// Of several that begin in one folder at the same moment, one trains there.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inFolder } from "@fewnorm/command-line/testing";
import test from "tape";
import { lockFile, takeOut } from "../src/out-folder.ts";

/** Above the largest number that a process can have. */
const ended = `${2 ** 30} ${hostname()}`;
const rounds = 100;

async function withTakers(body: (takers: readonly ChildProcess[]) => Promise<void>) {
  const program = fileURLToPath(new URL("./lock-taker.js", import.meta.url));
  const takers = Array.from({ length: 4 }, () => fork(program));
  try {
    await body(takers);
  } finally {
    await Promise.all(
      takers.map(async (taker) => {
        const exit = once(taker, "exit");
        taker.kill();
        await exit;
      }),
    );
  }
}

test("of several starts, one takes a lock that was left behind", async (t) => {
  await inFolder(async (folder) => {
    await withTakers(async (takers) => {
      const wrong: string[] = [];
      for (let round = 0; round < rounds; round++) {
        const out = join(folder, `${round}`);
        await mkdir(out);
        await writeFile(join(out, lockFile), ended);
        // In some rounds whoever replaced the lock before was killed at that as well.
        if (round % 4 === 3) await writeFile(join(out, `${lockFile}.takeover`), ended);
        const answers = await Promise.all(
          takers.map(async (taker) => {
            const answer = once(taker, "message");
            taker.send(out);
            return { pid: taker.pid, answer: `${(await answer)[0]}` };
          }),
        );
        const [owner, ...more] = answers.filter(({ answer }) => answer === "taken");
        const others = answers.filter(({ answer }) => /^train: process \d+ on /.test(answer));
        const fits =
          more.length === 0 &&
          others.length === takers.length - 1 &&
          (await readFile(join(out, lockFile), "utf8")) === `${owner?.pid} ${hostname()}` &&
          (await readdir(out)).length === 1;
        if (!fits) wrong.push(`round ${round}: ${answers.map(({ answer }) => answer).join("; ")}`);
      }
      t.deepEqual(wrong, [], "each time one takes it, and the others are told who");
    });
  });
});

test("a lock that is no file is named", async (t) => {
  await inFolder(async (folder) => {
    await mkdir(join(folder, lockFile));
    const problem = await takeOut(folder, false).then(
      () => "it was taken",
      ({ message }: Error) => message,
    );
    t.match(problem, /^train: .*training\.lock is no file that says .*; move it away/);
  });
});

test("only a lock of this machine whose process has ended is replaced", async (t) => {
  await inFolder(async (folder) => {
    const file = join(folder, lockFile);
    const take = async (text: string) => {
      await writeFile(file, text);
      const found = await takeOut(folder, false).catch(({ message }: Error) => message);
      if (typeof found === "function") await found();
      return typeof found === "function" ? "taken" : found;
    };
    t.match(await take(`${2 ** 30} elsewhere`), /^train: process \d+ on elsewhere trains in --out/);
    t.match(
      await take(`${process.ppid} ${hostname()}`),
      /^train: process \d+ on .* trains in --out/,
    );
    t.match(await take("somebody"), /does not say who trains there; delete it/);
    t.equal(await readFile(file, "utf8"), "somebody", "it is left as it is");
    t.equal(await take(ended), "taken");
    // As a container's next start may find it.
    t.equal(await take(`${process.pid} ${hostname()}`), "taken", "its own number");
    t.deepEqual(await readdir(folder), []);
  });
});
