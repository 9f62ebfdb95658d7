// Norms by name: `none`, `bn`, `bs:4`, `vdn:2+bs:2@sampled`, …, the same wherever a user writes one.

import { batchNorm, gradientModes, type Norm, weightStandardization } from "@fewnorm/norm";
import { fullBatch, mixture, type Sampling, type Strategy } from "@fewnorm/sampling";
import { parseBatchSampling, parseNaiveSampling } from "@fewnorm/sampling-batch";
import { parseFeatureSampling } from "@fewnorm/sampling-feature";
import { parseVirtualDataset } from "@fewnorm/sampling-virtual";
import { checkKind } from "@fewnorm/tensor";
import { parsePlainNorm, plainForms, plainHeads } from "./plain-norms.ts";
import { nearestName, unknownName, withChoices } from "./unknown-name.ts";

/** How a norm is written, and what it is. */
export interface NormForm {
  readonly form: string;
  readonly meaning: string;
}

/** All forms, for help texts. */
export const normForms: readonly NormForm[] = [
  { form: "none", meaning: "no normalization; convolutions have biases" },
  { form: "bn", meaning: "batch normalization, statistics from the whole batch" },
  { form: "ns:4", meaning: "naive sampling: always the first 4 images" },
  { form: "bs:4, bs:1/32", meaning: "batch sampling: 4 images, or 1/32 of the batch" },
  {
    form: "fs:4x8, fs:1/32",
    meaning: "feature sampling: a patch of 4×8 pixels, or 1/32 of the map",
  },
  {
    form: "vdn:4, vdn:4:kept",
    meaning: "virtual data: 4 images of noise, new or kept at each step",
  },
  { form: "vdn:2+bs:2", meaning: "a mixture of samples; with weights, 3*vdn:2+1*bs:2" },
  ...plainForms,
];

/** What may stand before the colon. */
const strategies: Readonly<Record<string, (argument: string) => Strategy>> = {
  ns: parseNaiveSampling,
  bs: parseBatchSampling,
  fs: parseFeatureSampling,
  vdn: parseVirtualDataset,
};

const forms = `none, bn, ns:4, bs:4 or bs:1/32, fs:4x8 or fs:1/32, vdn:4 or vdn:4:kept, vdn:2+bs:2 or 3*vdn:2+1*bs:2, each with @${gradientModes.join(", @")} if wanted; ${plainForms.map(({ form }) => form).join(", ")}`;

/**
 * The norm of a name: `none`, `gn:8`, … or a sampling (see {@link parseSampling}) with an optional gradient, as
 * in `bs:4@detached`; without one it is `exact`. `ws+` before any of them standardizes weights.
 * @throws RangeError, in one line, for a name that there is not, with all forms and the nearest name.
 */
export function parseNorm(text: string): Norm {
  checkKind("parseNorm", "the name", text, "string");
  if (text.startsWith("ws+")) return weightStandardization(parseNorm(text.slice(3)));
  const [name = "", mode, ...rest] = text.split("@");
  const plain = parsePlainNorm(name);
  if (plain !== undefined && mode === undefined) return plain;
  if (plain !== undefined || rest.length > 0) {
    const problem = plain ? `${name} has no gradients to choose from` : "one @ is enough";
    throw new RangeError(`parseNorm: "${text}": ${problem}; norms are ${forms}`);
  }
  const gradient = gradientModes.find((known) => known === (mode ?? "exact"));
  if (gradient === undefined) {
    const problem = unknownName("gradient", mode ?? "", gradientModes);
    throw new RangeError(
      `parseNorm: ${withChoices(problem, `gradients are ${gradientModes.join(", ")}`)}`,
    );
  }
  return batchNorm({ sampling: parseSampling(name), gradient });
}

/**
 * The sampling of a name: `bn`, `ns:4`, `bs:4`, `bs:1/32`, `fs:4x8`, `fs:1/32`, `vdn:4`, or several of them
 * joined with `+`, each with an optional weight, as in `3*vdn:2+1*bs:2`.
 * @throws RangeError as {@link parseNorm}.
 */
export function parseSampling(text: string): Sampling {
  checkKind("parseSampling", "the name", text, "string");
  const parts = text.split("+").map((part) => {
    const [, weight, name = ""] = /^(?:(\d+(?:\.\d+)?(?:e-\d+)?)\*)?(.*)$/.exec(part) ?? [];
    const strategy = parseStrategy(name, text);
    return weight === undefined ? { strategy } : { strategy, weight: Number(weight) };
  });
  const [first, ...others] = parts;
  if (first !== undefined && others.length === 0 && !("weight" in first)) return first.strategy;
  return mixture(parts);
}

function parseStrategy(part: string, whole: string): Strategy {
  if (part === "bn") return fullBatch();
  const colon = part.indexOf(":");
  const head = colon < 0 ? part : part.slice(0, colon);
  const parse = Object.hasOwn(strategies, head) ? strategies[head] : undefined;
  if (parse !== undefined && colon >= 0) return parse(part.slice(colon + 1));
  const problem = problemOf(part, head, whole);
  throw new RangeError(`parseNorm: ${withChoices(problem, `norms are ${forms}`)}`);
}

function problemOf(part: string, head: string, whole: string): string {
  const inWhole = part === whole ? "" : ` in "${whole}"`;
  if (Object.hasOwn(strategies, head)) return `"${part}"${inWhole} has no size, as in "${head}:4"`;
  if (plainHeads.includes(head)) {
    if (parsePlainNorm(part) === undefined) return `"${part}"${inWhole} is not a form of "${head}"`;
    return `"${part}"${inWhole} is a norm, and no sampling, which could be mixed`;
  }
  // A name with a size can only be meant for one that takes a size.
  const sized = [...Object.keys(strategies), "gn", "brn", "ghost"];
  const near = nearestName(head, part === head ? ["bn", ...sized, ...plainHeads] : sized);
  const meant = near === undefined ? "" : `, did you mean "${near}${part.slice(head.length)}"?`;
  return `there is no norm "${part}"${inWhole}${meant}`;
}
