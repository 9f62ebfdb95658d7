// Norms by name that take no sampling: none, and the rivals of batch normalization.

import {
  batchRenorm,
  frozenNorm,
  ghostBatchNorm,
  groupNorm,
  instanceNorm,
  layerNorm,
  type Norm,
  noNorm,
} from "@fewnorm/norm";
import type { NormForm } from "./norms.ts";

/** All forms but none's, for help texts. */
export const plainForms: readonly NormForm[] = [
  { form: "gn:8", meaning: "group normalization, 8 groups of channels" },
  {
    form: "ln, ln:pixel",
    meaning: "layer normalization of whole images, or of each pixel's channels",
  },
  { form: "in, in:plain", meaning: "instance normalization, with or without scale and shift" },
  {
    form: "brn, brn:500",
    meaning: "batch renormalization, corrections growing after 5000 or 500 steps",
  },
  { form: "ghost:16", meaning: "batch normalization of every 16 images on their own" },
  {
    form: "frozen, frozen:affine",
    meaning: "running statistics and parameters as constants, or the statistics only",
  },
  { form: "ws+gn:8", meaning: "weight standardization, before any of these" },
];

type Parse = (argument: string | undefined) => Norm | undefined;

/** A norm that takes a whole number. */
const counted =
  (least: number, make: (count: number) => Norm): Parse =>
  (argument) => {
    const count = /^\d+$/.test(argument ?? "") ? Number(argument) : Number.NaN;
    return Number.isSafeInteger(count) && count >= least ? make(count) : undefined;
  };

/** A norm with a word behind it, or without. */
const worded =
  (variants: Readonly<Record<string, () => Norm>>): Parse =>
  (argument = "") =>
    Object.hasOwn(variants, argument) ? variants[argument]?.() : undefined;

const plain: Readonly<Record<string, Parse>> = {
  none: worded({ "": noNorm }),
  gn: counted(1, (groups) => groupNorm({ groups })),
  ln: worded({ "": () => layerNorm(), pixel: () => layerNorm({ over: "pixel" }) }),
  in: worded({ "": () => instanceNorm({ affine: true }), plain: () => instanceNorm() }),
  brn: (argument) =>
    argument === undefined
      ? batchRenorm()
      : counted(0, (warmUp) => batchRenorm({ warmUp }))(argument),
  ghost: counted(1, (virtualBatchSize) => ghostBatchNorm({ virtualBatchSize })),
  frozen: worded({ "": () => frozenNorm(), affine: () => frozenNorm({ trainAffine: true }) }),
};

/** What may stand before the colon. */
export const plainHeads: readonly string[] = Object.keys(plain);

/** The norm of a name, or undefined if it is none of these. */
export function parsePlainNorm(name: string): Norm | undefined {
  const [head = "", argument, ...rest] = name.split(":");
  if (rest.length > 0 || argument === "" || !Object.hasOwn(plain, head)) return undefined;
  return plain[head]?.(argument);
}
