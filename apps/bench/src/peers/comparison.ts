// What was measured of fewnorm and its peers, as a table.

import type { Key } from "@fewnorm/tensor";
import type { Series } from "../interleave.ts";
import { resultsOf, seriesOf } from "../section-parts.ts";
import { type Estimate, estimateMedian, estimateRatio } from "../statistics.ts";
import type { Result, Section } from "../suite.ts";
import { mapEstimate, mebibytes, none, ratio, short } from "../words.ts";
import type { Absentee, Entrant } from "./entry.ts";
import type { Device } from "./job.ts";
import type { Work } from "./peer-process.ts";

/** A finished measurement. The first entrant is fewnorm. */
export interface Measured {
  /** A network's name, or a layer's shape. */
  readonly subject: string;
  readonly norm: string;
  readonly work: Work;
  readonly batch: number;
  readonly threads: number;
  readonly device: Device;
  readonly entrants: readonly Entrant[];
  readonly absentees: readonly Absentee[];
  readonly series: readonly Series[];
}

export function describeComparison(key: Key, measured: Measured): Section {
  const { subject, norm, work, batch, threads, device, entrants, absentees, series } = measured;
  const results: Result[] = [];
  const [us] = entrants;
  const ours = series[0]?.milliseconds ?? [];
  const rows = entrants.map((entrant, i) => {
    const { name, setting, firstMilliseconds, process } = entrant;
    const own = series[i]?.milliseconds ?? [];
    const time = estimateMedian(own, { key });
    const speed = mapEstimate(time, (milliseconds) => (1000 * entrant.batch) / milliseconds);
    const longer = entrant === us ? undefined : estimateRatio(own, ours, { key });
    const faster = mapEstimate(longer, (times) => (times * batch) / entrant.batch);
    const peak = process.peakBytes();
    results.push(
      ...resultsOf(name, "step ms", time),
      ...resultsOf(name, "images/s", speed),
      ...resultsOf(name, "fewnorm / it", faster),
      { case: name, quantity: "first ms", value: firstMilliseconds },
    );
    if (peak !== undefined) results.push({ case: name, quantity: "peak bytes", value: peak });
    return [
      name,
      setting,
      `${entrant.batch}`,
      `${own.length}`,
      shown(work === "layer" ? time : speed),
      ratio(faster),
      short(firstMilliseconds / 1000),
      peak === undefined ? none : mebibytes(peak),
    ];
  });
  const left = absentees.map(({ name, verdict }) => [
    name,
    verdict,
    ...Array.from({ length: 6 }, () => none),
  ]);
  return {
    title:
      work === "layer"
        ? `peers: ${norm} layer ${subject}`
        : `peers: ${subject} with ${norm}, ${work}, batch ${batch}`,
    caption: [
      `${wordsOf[work]} ${device === "gpu" ? "on a GPU" : `with ${threads} threads`}, each engine in its own process, from the same parameters; its results were compared first. Of each the fastest setting.`,
      "fewnorm / it: how many times as fast; medians of the rounds' ratios, 95% intervals. Engines that are slow take part in a few rounds, whose number stands where they are too few for an interval, with a batch of their own.",
      ...(device === "gpu" ? [onGpu[work]] : []),
      `first s: building the network and the first step, without the start of the program. Memory is the process's peak, its program and libraries included${device === "gpu" ? ", the GPU's own left out" : ""}.`,
      ...absentees.map(({ name, verdict, reason }) => `${name} ${remarks[verdict]}: ${reason}`),
    ],
    head: [
      "engine",
      "setting",
      "batch",
      "rounds",
      work === "layer" ? "ms" : "images/s",
      "fewnorm / it",
      "first s",
      "memory",
    ],
    rows: [...rows, ...left],
    settings: { subject, norm, work, batch, threads, device },
    series: seriesOf("step", series),
    results,
  };
}

const wordsOf: Readonly<Record<Work, string>> = {
  training: "Training steps (forward, backward, SGD) on random images of 3×32×32",
  inference: "Inferences on random images of 3×32×32",
  layer: "One normalization alone, forward and backward to its input and parameters,",
};

const engines =
  "The settings say on which GPU and how. Engines that compute on the processor alone are left out.";

const onGpu: Readonly<Record<Work, string>> = {
  training: `Each step brings its images and labels to the GPU and the loss back. ${engines}`,
  inference: `Each brings its images to the GPU and the logits back. ${engines}`,
  layer: engines,
};

const shown = (estimate: Estimate | undefined): string =>
  estimate === undefined ? none : short(estimate.median);

const remarks = {
  missing: "is missing",
  disagrees: "computes something else and was not timed",
  fails: "fails and is left out",
} as const;
