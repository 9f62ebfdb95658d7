// What a checkpoint knows beside its tensors, as JSON, checked before it is believed.

import * as v from "valibot";

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const number = v.pipe(v.number(), v.finite());
const settings = v.record(v.string(), v.union([v.string(), number, v.boolean()]));

const header = v.object({
  version: v.literal(1, "another version of fewnorm wrote it; read it with that one"),
  step: count,
  settings,
  notes: settings,
  progress: v.object({
    epoch: v.object({ count, loss: number, correct: count }),
    trainingLoss: v.optional(number),
    evaluation: v.optional(
      v.object({
        step: count,
        // JSON has no NaN: an evaluation that overflowed is written as null.
        loss: v.pipe(
          v.nullable(number),
          v.transform((loss) => loss ?? Number.NaN),
        ),
        accuracy: v.pipe(number, v.minValue(0), v.maxValue(1)),
        count,
      }),
    ),
  }),
});

export type Header = v.InferOutput<typeof header>;

/** @throws Error in one line for what is not JSON or not a header. */
export function parseHeader(json: string): Header {
  const result = v.safeParse(header, JSON.parse(json));
  if (result.success) return result.output;
  const [first] = result.issues;
  const path = v.getDotPath(first);
  throw new Error(path === null ? first.message : `${path}: ${first.message}`);
}
