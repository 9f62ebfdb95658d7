import test from "tape";
import { planTraining } from "../src/training-plan.ts";

const usual = {
  seconds: 75,
  trainings: 5,
  imagesPerSecond: 700,
  batch: 64,
  trainImages: 2000,
  testImages: 500,
};

test("planTraining: epochs that fit", (t) => {
  // 15 s each are 10,500 images; less two tests worth 333, they hold 5 epochs of 1,984.
  t.deepEqual(planTraining(usual), { epochs: 5, images: 2000 });
  t.deepEqual(planTraining({ ...usual, seconds: 1e6 }), { epochs: 20, images: 2000 }, "enough");
  t.end();
});

test("planTraining: fewer images where no epoch fits", (t) => {
  // 2 s each are 1,400 images, less 333: 16 batches of 64.
  t.deepEqual(planTraining({ ...usual, seconds: 10 }), { epochs: 1, images: 1024 });
  t.deepEqual(planTraining({ ...usual, seconds: 0 }), { epochs: 1, images: 64 }, "one step");
  t.end();
});

test("planTraining: never more images than there are", (t) => {
  const { images } = planTraining({ ...usual, trainImages: 100, seconds: 1000 });
  t.equal(images, 100);
  t.end();
});
