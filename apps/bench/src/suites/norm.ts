// One normalization layer alone, and one block of convolution, normalization and ReLU.

import type { Backend, Executable } from "@fewnorm/backend";
import { drawAll, type StateDeclaration } from "@fewnorm/nn";
import { foldIn, type Key } from "@fewnorm/tensor";
import { initializeStates } from "@fewnorm/train";
import { type Case, interleave, type Series } from "../interleave.ts";
import { possibleNorms } from "../named-norms.ts";
import {
  block,
  layer,
  type Pass,
  type Piece,
  type TracedPiece,
  tracePiece,
  worksInPlace,
} from "../normalized-piece.ts";
import type { LayerShape, Options } from "../options.ts";
import { resultsOf, seriesOf } from "../section-parts.ts";
import { estimateMedian, estimateRatio } from "../statistics.ts";
import type { NamedNorm, Result, Section, Suite, SuiteContext } from "../suite.ts";
import { milliseconds, none, ratio } from "../words.ts";

const passes: readonly Pass[] = ["forward", "both"];
const passNames: Readonly<Record<Pass, string>> = { forward: "forward", both: "forward+backward" };

const imageLayers = [
  [16, 32, 32],
  [32, 16, 16],
  [64, 8, 8],
] as const;

/** The layers of a CIFAR ResNet; one of ResNet-50 with --full. */
export function layerShapes({
  batch = 128,
  full,
}: Pick<Options, "batch" | "full">): readonly LayerShape[] {
  const usual = imageLayers.map((image): LayerShape => [batch, ...image]);
  return full ? [...usual, [32, 64, 56, 56]] : usual;
}

export const norm: Suite = {
  name: "norm",
  summary: "one normalization layer alone, and one block of convolution, normalization and ReLU",
  byDefault: true,
  takes: ["norms", "strategy", "batch", "shapes", "full", "threads"],
  async *run(context) {
    const shapes = context.options.shapes ?? layerShapes(context.options);
    const norms = context.norms(["none", "bn"], ["ns:4", "bs:4", "bs:16", "fs:1/32", "vdn:4"]);
    const backend = await context.backend();
    const jobs = [layer, block].flatMap((piece) => shapes.map((shape) => ({ piece, shape })));
    for (const [i, { piece, shape }] of jobs.entries()) {
      if (context.signal.aborted) return;
      const now = performance.now();
      const share = (context.deadline - now) / (jobs.length - i);
      // Without normalization there is no layer whose time could be taken.
      const measured = piece === layer ? norms.filter(({ name }) => name !== "none") : norms;
      yield await measurePiece(
        { ...context, deadline: now + share, key: foldIn(context.key, i) },
        {
          backend,
          backendName: context.options.backend,
          piece,
          shape,
          ...possibleNorms(measured, (one) =>
            tracePiece(piece, one, shape, "forward", context.options.backend),
          ),
        },
      );
    }
  },
};

interface Job {
  readonly backend: Backend;
  readonly backendName: string;
  readonly piece: Piece;
  readonly shape: LayerShape;
  readonly norms: readonly NamedNorm[];
  /** Which norms cannot be had, and why. */
  readonly leftOut: readonly string[];
}

async function measurePiece(context: SuiteContext, job: Job): Promise<Section> {
  const { key, deadline, signal, status } = context;
  const { piece, shape } = job;
  const title = `${piece.name} ${shape.join("×")}`;
  status(`${title}: compiling`);
  const compiled = await compilePieces(job, key);
  const series = new Map<Pass, readonly Series[]>();
  try {
    for (const [i, pass] of passes.entries()) {
      const now = performance.now();
      // Backward takes about twice as long as forward.
      const end = pass === "both" ? deadline : now + (deadline - now) / 3;
      const measured = await interleave(compiled.cases(pass), {
        key: foldIn(key, i),
        deadline: end,
        signal,
        onRound: (round) => status(`${title}, ${passNames[pass]}: round ${round + 1}`),
      });
      series.set(pass, measured);
    }
  } finally {
    await compiled.dispose();
  }
  return describe(key, title, job, series);
}

/** A norm's piece, ready to run. */
interface Compiled extends TracedPiece {
  readonly name: string;
  readonly pass: Pass;
  readonly executable: Executable;
  readonly preparation: Executable | undefined;
}

/** All norms' graphs of a piece, on states that they share where these are equal. */
async function compilePieces({ backend, backendName, piece, shape, norms }: Job, key: Key) {
  const traced = norms.flatMap(({ name, norm }) =>
    passes.map((pass) => ({ name, pass, ...tracePiece(piece, norm, shape, pass, backendName) })),
  );
  const declared = new Map<string, StateDeclaration>();
  for (const { states } of traced) for (const state of states) declared.set(state.name, state);
  const states = [...declared.values()];
  const state = await backend.createState(states);
  for (const [name, values] of initializeStates(states, key)) await state.write(name, values);
  const compiled: Compiled[] = [];
  for (const one of traced) {
    const executable = await backend.compile(one.graph, state);
    const preparation = one.before && (await backend.compile(one.before, state));
    compiled.push({ ...one, executable, preparation });
  }
  return {
    cases: (pass: Pass): Case[] =>
      compiled
        .filter((one) => one.pass === pass)
        .map(({ name, draws, graph, executable, preparation }): Case => {
          let feeds: Record<string, ArrayLike<number>> = {};
          return {
            name,
            twice: true,
            async prepare(round) {
              await preparation?.run();
              feeds = drawAll(draws, foldIn(key, round), graph);
            },
            run: () => executable.run(feeds),
          };
        }),
    async dispose() {
      for (const { executable, preparation } of compiled) {
        await executable.dispose();
        await preparation?.dispose();
      }
      await state.dispose();
    },
  };
}

function describe(
  key: Key,
  title: string,
  { backend, backendName, piece, shape, norms, leftOut }: Job,
  series: ReadonlyMap<Pass, readonly Series[]>,
): Section {
  const samplesOf = (pass: Pass, name: string): readonly number[] =>
    series.get(pass)?.find((one) => one.name === name)?.milliseconds ?? [];
  const baselines = piece === layer ? ["bn"] : ["bn", "none"];
  const results: Result[] = [];
  const rows = passes.flatMap((pass) =>
    norms.map(({ name }) => {
      const own = samplesOf(pass, name);
      const time = estimateMedian(own, { key });
      results.push(...resultsOf(name, `${passNames[pass]} ms`, time));
      const ratios = baselines.map((baseline) => {
        if (baseline === name) return own.length === 0 ? none : "1";
        const estimate = estimateRatio(own, samplesOf(pass, baseline), { key });
        results.push(...resultsOf(name, `${passNames[pass]} / ${baseline}`, estimate));
        return ratio(estimate);
      });
      return [name, passNames[pass], milliseconds(time), ...ratios];
    }),
  );
  const counts = passes.map((pass) => samplesOf(pass, "bn").length);
  const over = worksInPlace(piece, backendName)
    ? ", its input's gradient over its result's as in a network"
    : "";
  const what =
    piece === layer
      ? `One normalization layer, not folded${over}`
      : "relu(norm(3×3 convolution)), folded where the norm can be; none has a bias";
  return {
    title: `norm: ${title}`,
    caption: [
      `${what}; backward goes to the input and all parameters. Each run comes after one of its own that is not timed. Medians of ${counts.join(" and ")} rounds, and times as multiples of another's, with 95% intervals.`,
      ...leftOut,
    ],
    head: ["norm", "pass", "time", ...baselines.map((baseline) => `/ ${baseline}`)],
    rows,
    settings: { piece: piece.name, shape: shape.join("x"), backend: backend.description },
    series: passes.flatMap((pass) => seriesOf(passNames[pass], series.get(pass) ?? [])),
    results,
  };
}
