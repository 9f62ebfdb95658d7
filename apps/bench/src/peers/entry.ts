// How a peer enters the comparison: it is started, must compute what fewnorm computes, and shows its best setting.

import type { KnownPeer } from "./known-peers.ts";
import { type PeerProcess, type PeerTerms, startPeer, type Work } from "./peer-process.ts";

/** A peer that takes part, with the fastest of its settings. */
export interface Entrant {
  readonly name: string;
  readonly setting: string;
  readonly batch: number;
  readonly process: PeerProcess;
  /** Building the network, and the first step. */
  readonly firstMilliseconds: number;
  /** A later step, roughly. */
  readonly stepMilliseconds: number;
  readonly logits: Logits;
}

/** A peer that does not. */
export interface Absentee {
  readonly name: string;
  /** In a word: `missing`, `disagrees` or `fails`. */
  readonly verdict: "missing" | "disagrees" | "fails";
  readonly reason: string;
}

/** Logits in evaluation mode: at first, and in training after one step. Of a layer, some of its results. */
export interface Logits {
  readonly before: readonly number[];
  readonly after?: readonly number[];
}

/** What the entrants are told, and what is expected of them. */
export interface EntryTerms extends PeerTerms {
  readonly work: Work;
  readonly batch: number;
  /** The right logits for that many images; without it, any are right. */
  readonly expected?: (batch: number) => Promise<Logits>;
  readonly status: (text: string) => void;
}

/** So large that a wrong gradient shows in the next logits, so small that a right one does no harm. */
const checkedLearningRate = 0.01;

/**
 * The most that logits may be off, as a share of the largest. Before a step it is float32's rounding through
 * some twenty layers, ten times and more below this; a step multiplies it, by batch norm's division for one.
 */
const tolerances = { before: 1e-3, after: 1e-2 } as const;

/** A step that takes longer, in milliseconds, is tried once only. */
const long = 2000;

/** @returns undefined when the peer is not made for this work. */
export async function enterPeer(
  peer: KnownPeer,
  terms: EntryTerms,
): Promise<Entrant | Absentee | undefined> {
  let process: PeerProcess | undefined;
  let reason = `there is no ${peer.commands[0]?.[0]}`;
  let { name } = peer;
  let best: Entrant | undefined;
  let absentee: Absentee | undefined;
  try {
    for (const command of peer.commands) {
      terms.status(`${name}: starting`);
      const started = await startPeer(command, terms);
      if ("missing" in started) {
        reason = started.missing || reason;
        continue;
      }
      process = started;
      name = started.greeting.name;
      const ability = started.greeting.works[terms.work];
      for (const setting of ability?.settings ?? []) {
        terms.status(`${name}: trying ${setting}`);
        process ??= await restart(command, terms);
        const batch = Math.min(terms.batch, ability?.batch ?? terms.batch);
        const tried = await trySetting({ process, name, setting, batch }, terms);
        process = undefined;
        if ("verdict" in tried) absentee ??= tried;
        else if (best === undefined || tried.stepMilliseconds < best.stepMilliseconds) {
          await best?.process.stop();
          best = tried;
        } else await tried.process.stop();
      }
      return best ?? absentee;
    }
    return { name, verdict: "missing", reason };
  } catch (error) {
    await best?.process.stop();
    return { name, verdict: "fails", reason: (error as Error).message };
  } finally {
    await process?.stop();
  }
}

async function restart(command: readonly [string, ...string[]], terms: EntryTerms) {
  const started = await startPeer(command, terms);
  if ("missing" in started) throw new Error("it started once, and not again");
  return started;
}

/** Stops the process unless it may take part. */
async function trySetting(
  peer: Pick<Entrant, "process" | "name" | "setting" | "batch">,
  terms: EntryTerms,
): Promise<Entrant | Absentee> {
  const { process, name, setting, batch } = peer;
  const { work } = terms;
  const refuse = async (verdict: Absentee["verdict"], reason: string): Promise<Absentee> => {
    await process.stop();
    return { name, verdict, reason: `${setting}: ${reason}` };
  };
  try {
    let firstMilliseconds = await timed(() => process.ask({ do: "prepare", work, setting, batch }));
    const first = async () => {
      firstMilliseconds += await timed(() => step(process, checkedLearningRate));
    };
    // All but training is what logits are, and must not have been done before the first one is timed.
    if (work !== "training") await first();
    let logits: Logits = { before: await logitsOf(process) };
    if (work === "training") {
      await first();
      logits = { ...logits, after: await logitsOf(process) };
    }
    const objection = await objectionTo(logits, batch, terms);
    if (objection !== undefined) return await refuse("disagrees", objection);
    let stepMilliseconds = await step(process);
    for (let i = 0; i < 2 && stepMilliseconds < long; i++) {
      stepMilliseconds = Math.min(stepMilliseconds, await step(process));
    }
    return { ...peer, firstMilliseconds, stepMilliseconds, logits };
  } catch (error) {
    return await refuse("fails", (error as Error).message);
  }
}

/** So small that no network leaves the numbers in which a training would keep it. */
const timedLearningRate = 1e-4;

/** One step; its time in milliseconds by the peer's own clock. */
export async function step(
  process: PeerProcess,
  learningRate: number = timedLearningRate,
): Promise<number> {
  const { milliseconds } = await process.ask({ do: "step", learningRate });
  if (typeof milliseconds === "number" && milliseconds > 0) return milliseconds;
  throw new Error(`a step took ${milliseconds} milliseconds; it has to be a number above 0`);
}

async function logitsOf(process: PeerProcess): Promise<readonly number[]> {
  const { logits } = await process.ask({ do: "logits" });
  if (Array.isArray(logits)) return logits;
  throw new Error(`its results are ${JSON.stringify(logits)}; they have to be a list of numbers`);
}

async function objectionTo(
  logits: Logits,
  batch: number,
  { expected }: EntryTerms,
): Promise<string | undefined> {
  const right = await expected?.(batch);
  if (right === undefined) return undefined;
  for (const [when, tolerance] of Object.entries(tolerances) as ["before" | "after", number][]) {
    const [own, wanted] = [logits[when], right[when]];
    if (own === undefined || wanted === undefined) continue;
    const off = deviation(own, wanted);
    if (off <= tolerance) continue;
    const moment = when === "before" ? "at first" : "after one step";
    return `its results ${moment} are ${off.toPrecision(2)} of the largest off, more than ${tolerance}`;
  }
  return undefined;
}

/** The largest difference as a share of the largest value; infinite where lengths differ or numbers are not finite. */
function deviation(own: readonly number[], wanted: readonly number[]): number {
  if (own.length !== wanted.length || !own.every(Number.isFinite)) return Number.POSITIVE_INFINITY;
  const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return wanted.reduce((most, value, i) => {
    return Math.max(most, Math.abs(value - (own[i] as number)) / largest);
  }, 0);
}

async function timed(action: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await action();
  return performance.now() - began;
}
