// fewnorm beside other engines: the same network and batch, in turns, each in a process of its own.

import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { usageError } from "@fewnorm/command-line";
import { foldIn } from "@fewnorm/tensor";
import { type Case, interleave } from "../interleave.ts";
import type { Options } from "../options.ts";
import { describeComparison } from "../peers/comparison.ts";
import {
  type Absentee,
  type Entrant,
  type EntryTerms,
  enterPeer,
  type Logits,
  step,
} from "../peers/entry.ts";
import { type Device, deviceOf, type Job, type Subject, writeJob } from "../peers/job.ts";
import { type KnownPeer, knownPeersOn, ourselves, peerOfFile } from "../peers/known-peers.ts";
import type { Work } from "../peers/peer-process.ts";
import { median } from "../statistics.ts";
import type { Section, Suite, SuiteContext } from "../suite.ts";
import { layerShapes } from "./norm.ts";

/** A table. */
interface Comparison {
  readonly norm: string;
  readonly work: Work;
  readonly subject: Subject;
  /** Of the suite's time. */
  readonly share: number;
}

function comparisonsOf({ batch = 128, model = "resnet20", shapes }: Options): Comparison[] {
  const network = { subject: { model, batch }, share: 0.3 };
  const layers = shapes ?? layerShapes({ batch, full: true });
  return [
    { norm: "bn", work: "training", ...network },
    { norm: "none", work: "training", ...network },
    { norm: "bn", work: "inference", ...network },
    ...layers.map((layer) => ({
      ...({ norm: "bn", work: "layer", subject: { layer }, share: 0.1 / layers.length } as const),
    })),
  ];
}

/** What every peer can build (peers/README.md): the CIFAR ResNets. */
const networks: readonly string[] = ["resnet20", "resnet32", "resnet44", "resnet56", "resnet110"];

export const peers: Suite = {
  name: "peers",
  summary:
    "fewnorm beside PyTorch, onnxruntime, jax-js and TensorFlow.js, where they are installed",
  byDefault: false,
  takes: ["batch", "model", "shapes", "peers", "peer", "patience", "threads"],
  check(options) {
    const { model = "resnet20", peer } = options;
    if (!networks.includes(model)) {
      throw usageError(`peers build no ${model}; --model may be ${networks.join(", ")}`);
    }
    const packages = packagesOf(options);
    if (!existsSync(packages)) throw usageError(`--peers: there is no folder ${packages}`);
    const missing = peer.find((file) => !existsSync(file));
    if (missing !== undefined) throw usageError(`--peer: there is no file ${missing}`);
  },
  async *run(context) {
    const { options, signal, key } = context;
    const { backend } = options;
    const threads = options.threads ?? availableParallelism();
    const packages = packagesOf(options);
    const own = options.peer.map((file) => peerOfFile(file, process.cwd()));
    const device = deviceOf(backend);
    const known = [...knownPeersOn(device), ...own];
    for (const comparison of comparisonsOf(options)) {
      if (signal.aborted) return;
      const { norm, subject } = comparison;
      const job = await writeJob({ subject, norm, key, packages, backend, threads });
      try {
        const section = await compare(context, {
          ...comparison,
          threads,
          device,
          known,
          job,
        });
        if (section !== undefined) yield section;
      } finally {
        await job.dispose();
      }
    }
  },
};

const packagesOf = ({ peers: folder = "." }: Options): string => resolve(folder);

interface Terms extends Comparison {
  readonly threads: number;
  readonly device: Device;
  readonly known: readonly KnownPeer[];
  readonly job: Job;
}

/** Who takes longer for a step than this share of the time and so many of fewnorm's steps is in the first rounds only. */
const slow = { share: 1 / 30, times: 10, rounds: 3 } as const;

/** Threads of the one before come to rest, in milliseconds; some wait busily for a while. */
const rest = 50;

/** @returns undefined when interrupted before there is anything to show. */
async function compare(context: SuiteContext, terms: Terms): Promise<Section | undefined> {
  const { options, signal, status } = context;
  const { work, norm, job } = terms;
  const [name, batch] =
    "layer" in terms.subject
      ? [terms.subject.layer.join("×"), terms.subject.layer[0] ?? 1]
      : [terms.subject.model, terms.subject.batch];
  const { patience } = options;
  const base: EntryTerms = { jobFile: job.file, patience, work, batch, signal, status };
  const entrants: Entrant[] = [];
  const absentees: Absentee[] = [];
  try {
    const us = await enterOurselves(base);
    if (us === undefined) return undefined;
    entrants.push(us);
    const references = new Map([[batch, us.logits]]);
    const expected = async (images: number): Promise<Logits> => {
      const logits = references.get(images) ?? (await logitsFor(images, base));
      references.set(images, logits);
      return logits;
    };
    for (const peer of terms.known) {
      const entered = await enterPeer(peer, { ...base, expected });
      if (signal.aborted) return undefined;
      if (entered === undefined) continue;
      if ("verdict" in entered) absentees.push(entered);
      else entrants.push(entered);
    }
    const time = 1000 * options.time * terms.share;
    const bearable = Math.max(time * slow.share, slow.times * us.stepMilliseconds);
    const isSlow = ({ stepMilliseconds }: Entrant) => stepMilliseconds > bearable;
    const extra = entrants.filter(isSlow).reduce((sum, one) => sum + one.stepMilliseconds, 0);
    const failures = new Map<Entrant, string>();
    const series = await interleave(
      entrants.map((entrant) =>
        caseOf(entrant, work, signal, isSlow(entrant), async (reason) => {
          if (entrant === us) throw ourFailure(reason);
          failures.set(entrant, reason);
          await entrant.process.stop();
        }),
      ),
      {
        key: foldIn(context.key, 1),
        // What is slow runs once more, to warm up.
        deadline: performance.now() + time + extra * (slow.rounds + 1),
        signal,
        onRound: (round) => status(`${name}, ${norm}, ${work}: round ${round + 1}`),
      },
    );
    const lost = [...failures].map(([{ name, setting }, reason]): Absentee => {
      return { name, verdict: "fails", reason: `${setting}: while it was timed, ${reason}` };
    });
    const lasting = (_: unknown, i: number) => !failures.has(entrants[i] as Entrant);
    return describeComparison(foldIn(context.key, 2), {
      ...{ ...terms, subject: name, batch },
      entrants: entrants.filter(lasting),
      absentees: [...absentees, ...lost],
      series: series.filter(lasting),
    });
  } finally {
    await Promise.all(entrants.map(({ process }) => process.stop()));
  }
}

/** @returns undefined when interrupted. @throws Error when fewnorm itself fails. */
async function enterOurselves(terms: EntryTerms): Promise<Entrant | undefined> {
  const us = await enterPeer(ourselves, terms);
  if (terms.signal.aborted) return undefined;
  if (us !== undefined && !("verdict" in us)) return us;
  throw ourFailure(us?.reason);
}

const ourFailure = (reason: string | undefined): Error =>
  new Error(`peers: fewnorm itself fails (${reason}); see pnpm bench step`);

/** fewnorm's logits for another number of images. */
async function logitsFor(batch: number, terms: EntryTerms): Promise<Logits> {
  const us = await enterOurselves({ ...terms, batch });
  await us?.process.stop();
  return us?.logits ?? { before: [] };
}

/** Of layers, which take a millisecond, a round has so many: the first finds threads asleep and nothing in caches. */
const layerSteps = 10;

function caseOf(
  { name, process }: Entrant,
  work: Work,
  signal: AbortSignal,
  few: boolean,
  onFailure: (reason: string) => Promise<void>,
): Case {
  const count = work === "layer" && !few ? layerSteps : 1;
  return {
    name,
    ownClock: true,
    prepare: () => sleep(rest),
    async run() {
      try {
        const times: number[] = [];
        while (times.length < count) times.push(await step(process));
        return median(times);
      } catch (error) {
        if (signal.aborted) return undefined;
        await onFailure((error as Error).message);
        return "over";
      }
    },
    ...(few ? { rounds: slow.rounds } : {}),
  };
}
