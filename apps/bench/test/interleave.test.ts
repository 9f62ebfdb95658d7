import { key } from "@fewnorm/tensor";
import test from "tape";
import { type Case, interleave } from "../src/interleave.ts";

/** Cases that take 1, 10, 100, … ticks of a clock that only they move, and the order of their runs. */
function clockwork(count: number) {
  let time = 0;
  const runs: number[] = [];
  const prepared: number[] = [];
  const cases = Array.from(
    { length: count },
    (_, i): Case => ({
      name: `case ${i}`,
      prepare(round) {
        prepared.push(round);
        time += 1000;
      },
      async run() {
        runs.push(i);
        time += 10 ** i;
      },
    }),
  );
  return { cases, runs, prepared, now: () => time };
}

test("interleave: keeps every sample, warms up, and times runs alone", async (t) => {
  const { cases, runs, prepared, now } = clockwork(3);
  const options = { key: key(1), deadline: Number.POSITIVE_INFINITY, maxRounds: 20, now };
  const series = await interleave(cases, options);
  t.deepEqual(
    series,
    cases.map(({ name }, i) => ({ name, milliseconds: Array(20).fill(10 ** i) })),
  );
  t.deepEqual(runs.slice(0, 3), [0, 1, 2], "once each to warm up");
  t.deepEqual(new Set(prepared), new Set(Array.from({ length: 21 }, (_, round) => round)));

  const rounds = Array.from({ length: 20 }, (_, r) => runs.slice(3 + 3 * r, 6 + 3 * r));
  t.ok(
    rounds.every((round) => [...round].sort().join() === "0,1,2"),
    "each case once a round",
  );
  // 20 of 6 orders: that less than 4 different ones occur has a probability below 1e-4, at another key.
  t.ok(new Set(rounds.map(String)).size >= 4, "in orders of each round's own");
});

test("interleave: runs twice where that is asked for, and times the second", async (t) => {
  const { cases, runs, prepared, now } = clockwork(5);
  const twice = cases.map((one): Case => ({ ...one, twice: true }));
  const options = { key: key(1), deadline: 0, maxRounds: 1, now };
  const series = await interleave(twice, options);
  t.deepEqual(
    series.map(({ milliseconds }) => milliseconds),
    [[1], [10], [100], [1000], [10_000]],
  );
  const times = cases.map((_, i) => runs.filter((index) => index === i).length);
  t.deepEqual(times, [4, 4, 4, 3, 3], "but for what takes a second and more, once that is known");
  t.equal(prepared.length, runs.length, "each run is prepared");
});

test("interleave: the same key gives the same orders", async (t) => {
  const orders = [];
  for (let i = 0; i < 2; i++) {
    const { cases, runs, now } = clockwork(4);
    await interleave(cases, { key: key(7), deadline: 0, minRounds: 5, now });
    orders.push(runs);
  }
  t.deepEqual(orders[0], orders[1]);
});

test("interleave: stops at the deadline, after the least number of rounds", async (t) => {
  const late = clockwork(2);
  const few = await interleave(late.cases, { key: key(1), deadline: 0, now: late.now });
  t.deepEqual(
    few.map(({ milliseconds }) => milliseconds.length),
    [3, 3],
  );
  const { cases, now } = clockwork(2);
  // A round takes 2,011 ticks, as does warming up.
  const series = await interleave(cases, { key: key(1), deadline: 12_000, now });
  t.deepEqual(
    series.map(({ milliseconds }) => milliseconds.length),
    [5, 5],
  );
});

test("interleave: a quarter of the time is for rounds, however long the first runs take", async (t) => {
  let time = 0;
  let runs = 0;
  const slowAtFirst: Case = {
    name: "compiles",
    async run() {
      time += runs++ === 0 ? 100_000 : 1000;
    },
  };
  const [series] = await interleave([slowAtFirst], {
    ...{ key: key(1), deadline: 40_000, now: () => time },
  });
  t.equal(series?.milliseconds.length, 10);
});

test("interleave: a case may take part in the first rounds only, and by its own clock", async (t) => {
  const { cases, now } = clockwork(2);
  const slow: Case = { name: "slow", ownClock: true, rounds: 2, run: async () => 7 };
  const series = await interleave([slow, ...cases], { key: key(1), deadline: 0, now });
  t.deepEqual(
    series.map(({ milliseconds }) => milliseconds),
    [
      [7, 7],
      [1, 1, 1],
      [10, 10, 10],
    ],
  );
  let runs = 0;
  const interrupted: Case = {
    name: "interrupted",
    ownClock: true,
    run: async () => (runs++ < 3 ? 7 : undefined),
  };
  t.deepEqual(await interleave([interrupted], { key: key(1), deadline: 0, minRounds: 9, now }), [
    { name: "interrupted", milliseconds: [7, 7] },
  ]);
});

test("interleave: an interruption ends it after the run that is going on", async (t) => {
  const { cases, runs, now } = clockwork(3);
  const controller = new AbortController();
  const stopping: Case = {
    name: "stopping",
    run: async () => {
      if (runs.length > 8) controller.abort();
    },
  };
  const series = await interleave([...cases, stopping], {
    key: key(1),
    deadline: Number.POSITIVE_INFINITY,
    signal: controller.signal,
    now,
  });
  const counts = series.map(({ milliseconds }) => milliseconds.length);
  t.equal(Math.max(...counts.slice(0, 3)) - Math.min(...counts.slice(0, 3)) <= 1, true);
  t.equal(
    counts.slice(0, 3).reduce((a, b) => a + b),
    runs.length - 3,
    "every sample until then is kept",
  );
});

test("interleave: a signal is heard although cases never wait for anything", async (t) => {
  const controller = new AbortController();
  setImmediate(() => controller.abort());
  const busy: Case = { name: "busy", run: async () => {} };
  const series = await interleave([busy], {
    key: key(1),
    deadline: Number.POSITIVE_INFINITY,
    maxRounds: 1e9,
    signal: controller.signal,
  });
  t.ok((series[0]?.milliseconds.length ?? 0) < 1e9);
});

test("interleave: a case that is over takes no further part, and the others go on", async (t) => {
  const runs = [0, 0];
  const cases = runs.map(
    (_, i): Case => ({
      name: `case ${i}`,
      ownClock: true,
      async run() {
        runs[i] = (runs[i] as number) + 1;
        return i === 1 && runs[i] === 4 ? "over" : 7;
      },
    }),
  );
  const series = await interleave(cases, { key: key(1), deadline: 0, minRounds: 5 });
  t.deepEqual(
    series.map(({ milliseconds }) => milliseconds),
    [Array(5).fill(7), Array(2).fill(7)],
  );
  t.deepEqual(runs, [6, 4], "warm-up, and the rounds");
});
