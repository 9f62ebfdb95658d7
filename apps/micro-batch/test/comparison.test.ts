// What is compared.

import test from "tape";
import { eventsOf, tests } from "./events.ts";

test("at two images batch norm fails, and a sample's statistics do not", async (t) => {
  const events = await eventsOf({ methods: ["bn", "bs:16"] }, 48);
  const [bn, bs] = [tests(events, 0).at(-1), tests(events, 1).at(-1)];
  // Seeds 1 to 6 give 35 to 56% and 66 to 75%, this one 35 and 72%.
  t.ok((bn?.accuracy ?? 1) < 0.5, `bn: ${bn?.accuracy}`);
  t.ok((bs?.accuracy ?? 0) > 0.6, `bs:16: ${bs?.accuracy}`);
  // 0.75 to 1.06 and 0.41 to 0.54.
  t.ok((bn?.mismatch[4] ?? 0) > 0.65, `bn's last layer is tested as another: ${bn?.mismatch[4]}`);
  t.ok((bs?.mismatch[4] ?? 1) < 0.6, `bs:16's is not: ${bs?.mismatch[4]}`);
});

test("methods take turns, on the same images", async (t) => {
  // Group norm does not depend on the split, so that both must have the same losses.
  const events = await eventsOf({ methods: ["gn:8", "gn:8:whole"], micro: 8 }, 3);
  const steps = events.flatMap((event) => (event.type === "step" ? [event] : []));
  t.deepEqual(
    steps.map(({ method, images }) => [method, images]),
    [1, 2, 3].flatMap((step) => [
      [0, 32 * step],
      [1, 32 * step],
    ]),
  );
  for (let step = 0; step < 3; step++) {
    const [split = 0, whole = 0] = [steps[2 * step]?.loss, steps[2 * step + 1]?.loss];
    // Sums in another order, over three steps.
    t.ok(Math.abs(split - whole) < 1e-4 * whole, `step ${step}: ${split} and ${whole}`);
  }
  t.deepEqual(
    tests(events, 0).map(({ images }) => images),
    [0, 96],
    "a test before and one behind",
  );
  const last = tests(events, 0).at(-1);
  t.ok(
    last?.mismatch.every((distance) => distance < 1e-5),
    "without running statistics training and testing are the same",
  );
  const { length } = tests(events, 0)[0]?.predictions ?? [];
  t.equal(length, 10, "ten images are shown");
});

test("one method's failure does not stop the others", async (t) => {
  const events = await eventsOf({ methods: ["bn", "bs:64", "ln"], micro: 1 }, 1);
  const failed = events.flatMap((event) => (event.type === "failed" ? [event.method] : []));
  t.deepEqual(failed, [0, 1], "one value a channel; a sample larger than the batch");
  t.equal(tests(events, 2).length, 2, "the third goes on");
});

test("a batch can be so large that there are fewer than are compared on", async (t) => {
  const events = await eventsOf({ methods: ["none"], micro: 1500, batch: 1500 }, 1);
  t.deepEqual(
    events.filter(({ type }) => type === "failed"),
    [],
  );
  t.equal(tests(events, 0).length, 2);
});

test("a training that diverges is stopped, and says so", async (t) => {
  const events = await eventsOf({ methods: ["none", "ln"], micro: 32, learningRate: 10 }, 40);
  const failure = events.find((event) => event.type === "failed");
  t.ok(failure?.type === "failed" && failure.message.startsWith("diverged"), failure?.message);
});

test("a training that the last step makes diverge says so after the last tests", async (t) => {
  const events = await eventsOf({ methods: ["none", "ln"], micro: 32, learningRate: 1e30 }, 1);
  t.deepEqual(
    events.slice(-4).map(({ type, method }) => [type, method]),
    [
      ["test", 0],
      ["test", 1],
      ["failed", 0],
      ["failed", 1],
    ],
  );
  const last = events.at(-1);
  t.match(
    last?.type === "failed" ? last.message : "",
    /^diverged: after 1 steps the test loss is NaN/,
  );
});
