// How much of a training fits into a time.

/** What a plan is made from. */
export interface PlanInput {
  /** Seconds for everything. */
  readonly seconds: number;
  /** Trainings that share the time. */
  readonly trainings: number;
  /** Training images a second, measured. */
  readonly imagesPerSecond: number;
  readonly batch: number;
  readonly trainImages: number;
  readonly testImages: number;
}

/** What each training does. */
export interface TrainingPlan {
  readonly epochs: number;
  /** Training images that are used: all of them, or fewer where not even one epoch of all would fit. */
  readonly images: number;
}

/** More would take time without telling the norms apart any better. */
const mostEpochs = 20;

/**
 * The most epochs that fit, with two tests at the end, whose images take a third of the time. A training
 * has one step at least, fitting or not.
 */
export function planTraining(input: PlanInput): TrainingPlan {
  const { seconds, trainings, imagesPerSecond, batch, trainImages, testImages } = input;
  const each = (seconds / trainings) * imagesPerSecond - (2 * testImages) / 3;
  const whole = Math.max(batch, Math.floor(trainImages / batch) * batch);
  const epochs = Math.min(mostEpochs, Math.floor(each / whole));
  if (epochs >= 1) return { epochs, images: trainImages };
  const images = Math.floor(each / batch) * batch;
  return { epochs: 1, images: Math.min(trainImages, Math.max(batch, images)) };
}
