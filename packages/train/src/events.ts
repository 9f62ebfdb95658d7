// What a training reports as it goes on.

import type { Evaluation } from "./evaluate.ts";

/** Steps and epochs that are completed; epochs are counted from 1 in the events of their steps. */
interface Position {
  /** Completed steps since the training began, resumed or not. */
  readonly step: number;
  /** The epoch that the last completed step belongs to, from 1; 0 before the first step. */
  readonly epoch: number;
}

/** Before the first step. */
export interface StartEvent extends Position {
  readonly type: "start";
  /** Steps of the whole training. */
  readonly steps: number;
  readonly stepsPerEpoch: number;
  /** Trainable numbers of the model. */
  readonly parameters: number;
}

/** After every step. */
export interface StepEvent extends Position {
  readonly type: "step";
  /** Mean cross-entropy of the batch, before the update. */
  readonly loss: number;
  /** Share of the batch that was classified rightly, before the update. */
  readonly accuracy: number;
  readonly learningRate: number;
  /** Of this step alone, waiting for its batch included. */
  readonly imagesPerSecond: number;
}

/** After the last step of an epoch: means over its steps. */
export interface EpochEvent extends Position {
  readonly type: "epoch";
  /** Mean cross-entropy of the epoch's batches. */
  readonly loss: number;
  /** Share of the epoch's images that was classified rightly. */
  readonly accuracy: number;
}

/** After an evaluation on the test images. */
export interface EvaluationEvent extends Position, Evaluation {
  readonly type: "evaluation";
}

/** After a checkpoint has been saved. */
export interface CheckpointEvent extends Position {
  readonly type: "checkpoint";
  /** What `save` returned: the file's path, for instance. */
  readonly where: string;
}

/** The last event. */
export interface DoneEvent extends Position {
  readonly type: "done";
  /** Whether the training was interrupted before its last step, or before the test after it. */
  readonly interrupted: boolean;
  /** Mean loss of the last completed epoch. */
  readonly trainingLoss: number | undefined;
  /** The last evaluation. */
  readonly evaluation: Evaluation | undefined;
}

/** What `train` reports; `type` tells them apart. */
export type TrainEvent =
  | StartEvent
  | StepEvent
  | EpochEvent
  | EvaluationEvent
  | CheckpointEvent
  | DoneEvent;
