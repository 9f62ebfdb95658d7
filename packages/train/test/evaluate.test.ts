// Evaluation and scores: padding does not count, and the numbers are those of the formulas.
import { key } from "@fewnorm/tensor";
import { type Evaluation, evaluate, scoreLogits } from "@fewnorm/train";
import test from "tape";
import { tinyDataset, withTrainer } from "./tiny.ts";

test("scoreLogits computes cross-entropy and counts right answers", (t) => {
  const logits = [1, 2, 3, 1000, 0, 0, 0, 0, 0];
  const { loss, correct, count } = scoreLogits(logits, [2, 1, 0], 3, 3);
  const first = Math.log(Math.exp(1) + Math.exp(2) + Math.exp(3)) - 3;
  // Three float64 terms; the second is 1000.
  t.ok(Math.abs(loss - (first + 1000 + Math.log(3))) < 1e-11, `${loss}`);
  t.equal(correct, 2, "of equal logits the first is the answer");
  t.equal(count, 3);
  t.equal(scoreLogits([Number.NaN, 0, 0], [0], 3, 1).correct, 0, "NaN is never right");
  t.equal(scoreLogits(logits, [2, 1, 0], 3, 1).correct, 1, "rows after count are padding");
  t.end();
});

test("evaluate gives the same at every batch size", async (t) => {
  const dataset = tinyDataset();
  const results: (Evaluation | undefined)[] = [];
  for (const evaluationBatch of [1, 3, 10, 16]) {
    await withTrainer(
      async (trainer) => {
        await trainer.initialize(key(3));
        results.push(await evaluate(trainer, dataset.test, { dataset }));
      },
      { evaluationBatch },
    );
  }
  const [first, ...others] = results;
  t.equal(first?.count, 10, "all images, and none twice");
  for (const other of others) {
    t.equal(other?.count, 10);
    t.equal(other?.accuracy, first?.accuracy);
    // The reference backend computes each image alike; only the order of ten terms may differ.
    t.ok(Math.abs((other?.loss ?? 0) - (first?.loss ?? 0)) < 1e-12, "loss");
  }
});

test("evaluate stops when it is told to", async (t) => {
  const dataset = tinyDataset();
  await withTrainer(async (trainer) => {
    const signal = AbortSignal.abort();
    t.equal(await evaluate(trainer, dataset.test, { dataset, signal }), undefined);
  });
});
