// What a file of --json holds, for tests.

import * as v from "valibot";

const finite = v.pipe(v.number(), v.finite());
const count = v.pipe(v.number(), v.integer(), v.minValue(1));
const text = v.pipe(v.string(), v.minLength(1));

const section = v.strictObject({
  title: text,
  caption: v.array(text),
  head: v.array(text),
  rows: v.array(v.array(text)),
  settings: v.record(text, v.union([text, finite, v.boolean()])),
  series: v.array(
    v.strictObject({
      case: text,
      measure: text,
      unit: v.literal("ms"),
      samples: v.array(v.pipe(finite, v.gtValue(0))),
    }),
  ),
  results: v.array(
    v.strictObject({
      case: text,
      quantity: text,
      value: finite,
      low: v.optional(finite),
      high: v.optional(finite),
    }),
  ),
});

export const recordSchema = v.strictObject({
  format: v.literal("fewnorm-bench/1"),
  date: v.pipe(v.string(), v.isoTimestamp()),
  machine: v.strictObject({ cpu: text, cores: count, memory: count, os: text, arch: text }),
  versions: v.objectWithRest({ fewnorm: text, node: text, v8: text }, text),
  commit: v.nullable(v.pipe(v.string(), v.regex(/^[0-9a-f]{40}\+?$/))),
  backend: v.nullable(v.strictObject({ name: text, description: text })),
  options: v.looseObject({ time: finite, seed: finite }),
  interrupted: v.boolean(),
  suites: v.array(v.strictObject({ suite: text, sections: v.array(section) })),
});

export type Record = v.InferOutput<typeof recordSchema>;

/** @throws Error that says where `content` is not a record. */
export const parseRecord = (content: string): Record => v.parse(recordSchema, JSON.parse(content));
