// The methods that the page offers, and what they are in a few words.

import { unsplit } from "../settings.ts";

export interface Offer {
  readonly name: string;
  readonly meaning: string;
}

export const offers: readonly Offer[] = [
  { name: "bn", meaning: "batch norm: statistics of each micro-batch" },
  { name: `bn${unsplit}`, meaning: "batch norm of the whole batch, as if memory were no matter" },
  { name: "bs:16", meaning: "batch sampling: 16 images out of the whole batch" },
  { name: "bs:4", meaning: "batch sampling: 4 images" },
  { name: "vdn:16", meaning: "virtual data: 16 images of noise, once a step" },
  { name: "vdn:4", meaning: "virtual data: 4 images of noise" },
  { name: "gn:8", meaning: "group norm: 8 groups of channels of each image" },
  { name: "ln", meaning: "layer norm: all of an image's channels" },
  { name: "brn", meaning: "batch renorm: batch norm corrected by running statistics" },
  { name: "none", meaning: "no normalization" },
];
