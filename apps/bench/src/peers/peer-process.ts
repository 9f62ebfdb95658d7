// A peer: a child process that answers requests, line by line (peers/README.md says how).

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

/** A network's training step or inference, or a normalization alone, forward and backward. */
export type Work = "training" | "inference" | "layer";

/** What a peer says first. */
export interface Greeting {
  readonly name: string;
  readonly works: Readonly<Partial<Record<Work, Ability>>>;
}

/** How a peer does a kind of work. */
export interface Ability {
  /** Ways to do it, of which the fastest counts. */
  readonly settings: readonly string[];
  /** The most images that make sense; without it, any number. */
  readonly batch?: number;
}

export type Request =
  | {
      readonly do: "prepare";
      readonly work: Work;
      readonly setting: string;
      readonly batch: number;
    }
  | { readonly do: "logits" }
  | { readonly do: "step"; readonly learningRate: number };

export interface PeerProcess {
  readonly greeting: Greeting;
  /** The answer, unchecked. @throws Error when the peer says that it failed, or dies. */
  ask(request: Request): Promise<Readonly<Record<string, unknown>>>;
  /** The most memory that the process has held so far, in bytes, where the system tells. */
  peakBytes(): number | undefined;
  /** Ends the process. */
  stop(): Promise<void>;
}

/** How to start a peer: a program and what comes before the job's file. */
export type Command = readonly [program: string, ...args: string[]];

/** What a peer is told at its start, and when it is given up. */
export interface PeerTerms {
  readonly jobFile: string;
  /** Seconds that each answer may take, the greeting included. */
  readonly patience: number;
  readonly signal: AbortSignal;
}

/** @returns the peer, or how to get it where it is missing; "" where there is not even the program. */
export async function startPeer(
  [program, ...args]: Command,
  { jobFile, patience, signal }: PeerTerms,
): Promise<PeerProcess | { readonly missing: string }> {
  const child = spawn(program, [...args, jobFile], { signal, killSignal: "SIGKILL" });
  const { read, ended } = readLines(child, patience);
  const stop = async () => {
    child.kill("SIGKILL");
    // What it has started itself may hold them open.
    for (const stream of child.stdio) stream?.destroy();
    await ended;
  };
  try {
    const greeting = await read();
    if (typeof greeting.missing === "string") {
      await stop();
      return { missing: greeting.missing };
    }
    return {
      greeting: checkGreeting(greeting),
      async ask(request) {
        child.stdin.write(`${JSON.stringify(request)}\n`);
        const answer = await read();
        if (typeof answer.error === "string") throw new Error(answer.error);
        return answer;
      },
      peakBytes: () => peakBytesOf(child.pid),
      stop,
    };
  } catch (error) {
    await stop();
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { missing: "" };
    throw error;
  }
}

/** The objects that a child writes, one a line, and a promise that is settled when it has gone. */
function readLines(child: ChildProcessWithoutNullStreams, patience: number) {
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint = `${complaint}${text}`.slice(-2000);
  });
  let failure: Error | undefined;
  child.on("error", (error) => {
    failure = error;
  });
  // Writing to a process that has died; reading from it says what there is to say.
  child.stdin.on("error", () => {});
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  return {
    ended,
    async read(): Promise<Record<string, unknown>> {
      const { value, done } = await within(patience, lines.next());
      if (done) {
        // Its output may be closed, and it, or a process of its own, still there.
        await Promise.race([ended, sleep(1000, undefined, { ref: false })]);
        throw (
          failure ?? new Error(`it ended (${reasonIn(complaint) ?? `status ${child.exitCode}`})`)
        );
      }
      const answer = objectIn(value);
      if (answer !== undefined) return answer;
      throw new Error(`it wrote "${value.slice(0, 60)}", which is no line with an object in JSON`);
    },
  };
}

/** Timers count milliseconds in 31 bits. */
const LONGEST = 2 ** 31 - 1;

/** @throws Error when `answer` takes longer than so many seconds. */
async function within<T>(patience: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => {
        reject(new Error(`it has not answered for ${patience} s; --patience allows more`));
      },
      Math.min(1000 * patience, LONGEST),
    );
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Undefined for what is not JSON, or not an object. */
function objectIn(line: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(line);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The line of an error message that says what is wrong: in Node's the one with the error, in Python's the last. */
function reasonIn(complaint: string): string | undefined {
  const lines = complaint.split("\n").filter((line) => line.trim() !== "");
  return lines.findLast((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1);
}

function checkGreeting(greeting: Record<string, unknown>): Greeting {
  const { name, works } = greeting as Partial<Greeting>;
  const abilities = typeof works === "object" && works !== null ? Object.values(works) : undefined;
  if (typeof name === "string" && abilities?.every(({ settings }) => settings?.length > 0)) {
    return greeting as unknown as Greeting;
  }
  throw new Error(`it began with ${JSON.stringify(greeting)}, which lacks a name or its works`);
}

/** Linux counts from the start of the program, unlike getrusage, which remembers the parent's size. */
function peakBytesOf(pid: number | undefined): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const [, kibibytes] = /^VmHWM:\s+(\d+) kB/m.exec(status) ?? [];
    return kibibytes === undefined ? undefined : 1024 * Number(kibibytes);
  } catch {
    return undefined;
  }
}
