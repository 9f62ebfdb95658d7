// What is minimized, as composed graphs: cross-entropy, label smoothing, mixup.

import { crossEntropy, type Scope } from "@fewnorm/nn";
import {
  add,
  checkMethod,
  checkOptions,
  foldIn,
  type Key,
  mean,
  multiply,
  normal,
  reshape,
  rows,
  slice,
  softmaxCrossEntropy,
  subtract,
  type Tensor,
  uniform,
} from "@fewnorm/tensor";

/** A batch, and the model that an objective is recorded for. */
export interface ObjectiveContext {
  /** For what is drawn at each step. */
  readonly scope: Scope;
  /** [N, C, H, W]. */
  readonly images: Tensor;
  /** int32 [N]. */
  readonly labels: Tensor;
  /** The model: images → logits [N, classes]. */
  predict(images: Tensor): Tensor;
}

/** What a training minimizes. */
export interface Objective {
  /** Name and options, such as `cross-entropy(label smoothing 0.1)`; a checkpoint keeps it. */
  readonly name: string;
  /** Whether it mixes images; what is mixed cannot be mixed again. Default false. */
  readonly mixes?: boolean;
  /** Records the logits and the loss, a scalar: a mean over the images, so that micro-batches can be added up. */
  record(context: ObjectiveContext): { readonly logits: Tensor; readonly loss: Tensor };
}

/** Options of {@link classification}. */
export interface ClassificationOptions {
  /** ε, from 0 to below 1: the share of the label that all K classes get alike. Default 0. */
  readonly labelSmoothing?: number;
}

/**
 * The mean of (1 − ε)·(−log p_label) + ε·(−Σ log p_k)/K, p the softmax of the logits, as
 * `torch.nn.CrossEntropyLoss` (Szegedy et al., CVPR 2016, section 7).
 * @throws RangeError for a label smoothing outside [0, 1).
 */
export function classification(options: ClassificationOptions = {}): Objective {
  checkOptions("classification", options, { labelSmoothing: "number" });
  const { labelSmoothing: ε = 0 } = options;
  if (!(ε >= 0 && ε < 1)) {
    throw new RangeError(
      `classification: labelSmoothing is ${ε}; give a number from 0 to below 1, e.g. 0.1`,
    );
  }
  return {
    name: ε === 0 ? "cross-entropy" : `cross-entropy(label smoothing ${ε})`,
    record({ images, labels, predict }) {
      const logits = predict(images);
      const loss = logits.builder.labelled("loss", () =>
        ε === 0
          ? crossEntropy(logits, labels)
          : add(
              multiply(crossEntropy(logits, labels), 1 - ε),
              multiply(mean(uniformCrossEntropy(logits)), ε),
            ),
      );
      return { logits, loss };
    },
  };
}

/** −Σ log p_k/K of every row: log Σ exp(logits) − mean(logits). */
function uniformCrossEntropy(logits: Tensor): Tensor {
  const [n = 1] = logits.shape;
  const first = reshape(slice(logits, { start: [0, 0], shape: [n, 1] }), [n]);
  // The cross-entropy of class 0 is log Σ exp(logits) − logits_0.
  const ofFirst = softmaxCrossEntropy(logits, logits.builder.constant(0, [n], "int32"));
  return subtract(add(ofFirst, first), mean(logits, [1]));
}

/** Options of {@link mixup}. */
export interface MixupOptions {
  /** α of the Beta distribution that λ is drawn from. Default 0.2. */
  readonly alpha?: number;
}

/**
 * Mixup (Zhang et al., ICLR 2018): images λ·xᵢ + (1 − λ)·xⱼ, and λ times the objective with the labels yᵢ
 * plus 1 − λ times that with yⱼ. λ ~ Beta(α, α), the larger of λ and 1 − λ, is drawn once a step; j is i plus
 * a drawn number, cyclically, which in a shuffled batch is any other image.
 * @throws TypeError for what is no objective; RangeError for one that mixes already, and for α out of range; when a
 *   model is traced, for a batch of one image.
 */
export function mixup(
  objective: Objective = classification(),
  options: MixupOptions = {},
): Objective {
  const example = "an objective, as in mixup(classification(), { alpha: 0.2 })";
  checkMethod("mixup", "the first argument", objective, "record", example);
  checkOptions("mixup", options, { alpha: "number" });
  const { alpha = 0.2 } = options;
  if (objective.mixes) {
    throw new RangeError(`mixup: ${objective.name} mixes images already; leave out one of them`);
  }
  if (!(alpha > 0 && alpha <= 1000)) {
    throw new RangeError(
      `mixup: alpha is ${alpha}; give a number above 0 and up to 1000, e.g. 0.2`,
    );
  }
  return {
    name: `mixup(${objective.name}, alpha ${alpha})`,
    mixes: true,
    record(context) {
      const { scope, images, predict } = context;
      const [n = 1] = images.shape;
      if (n < 2)
        throw new RangeError(
          "mixup: a batch of 1 image has no other to mix it with; use larger ones, and micro-batches of 2 or more that leave no single image over",
        );
      const share = scope.drawn("mixup.share", [1], "float32", (key) => {
        const λ = drawBeta(key, alpha);
        return [Math.max(λ, 1 - λ)];
      });
      const shift = scope.drawn("mixup.shift", [2], "int32", (key) => {
        const by = 1 + Math.floor((uniform(key, 1)[0] as number) * (n - 1));
        return [by, n - by];
      });
      const range = { base: 0, modulo: n, offset: 0, count: n };
      const mixed = scope.builder.labelled("mixup", () =>
        add(multiply(images, share), multiply(rows(images, shift, { range }), subtract(1, share))),
      );
      const logits = predict(mixed);
      // Turning the logits back by as much puts xⱼ's label beside the image that xⱼ was mixed into.
      const turned = scope.builder.labelled("mixup", () =>
        rows(logits, shift, { range, index: 1 }),
      );
      const [own, other] = [logits, turned].map(
        (known) => objective.record({ ...context, predict: () => known }).loss,
      ) as [Tensor, Tensor];
      const loss = add(multiply(own, share), multiply(other, subtract(1, share)));
      return { logits, loss: reshape(loss, []) };
    },
  };
}

/** A draw from Beta(α, α), 0 … 1. */
function drawBeta(key: Key, alpha: number): number {
  const [a, b] = [drawLogGamma(foldIn(key, 0), alpha), drawLogGamma(foldIn(key, 1), alpha)];
  return 1 / (1 + Math.exp(b - a));
}

/**
 * The logarithm of a draw from Gamma(α, 1), which for a small α underflows itself: Marsaglia and Tsang, "A
 * simple method for generating gamma variables" (2000), for α + 1, times U^(1/α).
 */
function drawLogGamma(key: Key, alpha: number): number {
  const d = alpha + 1 - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (let attempt = 0; ; attempt++) {
    const draw = foldIn(key, attempt);
    const [x = 0] = normal(foldIn(draw, 0), 1);
    const [u = 0, w = 0] = uniform(foldIn(draw, 1), 2);
    const v = (1 + c * x) ** 3;
    // 1 − u lies in (0, 1].
    if (v > 0 && Math.log(1 - u) < 0.5 * x * x + d - d * v + d * Math.log(v)) {
      return Math.log(d * v) + Math.log(1 - w) / alpha;
    }
  }
}
