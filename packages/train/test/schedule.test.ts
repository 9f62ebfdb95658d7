// Schedules at the points where they are known.
import { constant, cosine, stepDecay, warmUp } from "@fewnorm/train";
import test from "tape";

test("constant stays", (t) => {
  const schedule = constant(0.3);
  t.deepEqual([0, 1, 1000].map(schedule), [0.3, 0.3, 0.3]);
  t.throws(() => constant(-1), /constant: rate is -1/);
  t.end();
});

test("stepDecay falls at its milestones", (t) => {
  const schedule = stepDecay({ base: 1, milestones: [10, 20], factor: 0.5 });
  t.deepEqual([0, 9, 10, 19, 20, 99].map(schedule), [1, 1, 0.5, 0.5, 0.25, 0.25]);
  t.equal(stepDecay({ base: 1, milestones: [0, 5] })(0), 0.1, "a milestone at the first step");
  t.throws(() => stepDecay({ base: 1, milestones: [], factor: 0 }), /factor is 0/);
  t.throws(() => stepDecay({ base: 1, milestones: [5, NaN] }), /milestones are 5, NaN; give steps/);
  t.end();
});

test("cosine rises linearly, peaks at the end of the warm-up, and falls to the final rate", (t) => {
  const schedule = cosine({ base: 0.1, steps: 110, warmUp: 10, final: 0.01 });
  // Products and quotients of a few float64 numbers: off by their rounding at most.
  const near = (step: number, rate: number) =>
    t.ok(Math.abs(schedule(step) - rate) < 1e-15, `step ${step}: ${rate}`);
  near(0, 0.01);
  near(4, 0.05);
  near(9, 0.1);
  near(10, 0.1);
  near(60, 0.055);
  near(110, 0.01);
  near(1000, 0.01);
  for (let step = 11; step < 110; step++) {
    if (!(schedule(step) < schedule(step - 1))) t.fail(`it rises at step ${step}`);
  }
  t.end();
});

test("cosine refuses a training of no whole number of steps, and a warm-up that fills it", (t) => {
  for (const steps of [0, -31, 46.5, Number.NaN]) {
    t.throws(
      () => cosine({ base: 0.1, steps }),
      new RegExp(`steps is ${steps}; give a whole number`),
    );
  }
  t.throws(() => cosine({ base: 0.1, steps: 10, warmUp: 10 }), /10 of 10 steps are warm-up/);
  t.throws(() => cosine({ base: Number.NaN, steps: 10 }), /base is NaN/);
  t.end();
});

test("warmUp leads up to any schedule", (t) => {
  const schedule = warmUp(constant(0.4), 4);
  const rates = [0, 1, 2, 3, 4, 5].map(schedule);
  t.ok(
    [0.1, 0.2, 0.3, 0.4, 0.4, 0.4].every((rate, i) => Math.abs(rate - (rates[i] ?? 0)) < 1e-15),
    rates.join(", "),
  );
  t.throws(() => warmUp(constant(1), 1.5), /steps is 1.5/);
  t.end();
});
