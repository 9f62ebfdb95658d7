// The contract between a graph and the engine that runs it.

import type { Graph, HostValue, Shape, Values } from "@fewnorm/tensor";
import type { NdArray } from "ndarray";

/** A named value that lives on the backend between runs: parameter, running statistic, optimizer slot. */
export interface StateSpec {
  readonly name: string;
  readonly shape: Shape;
}

/** What a backend can do, found out by trying and not by guessing. */
export interface Limits {
  /** The largest tensor in bytes. */
  readonly maxTensorBytes: number;
  /** Threads or the like that share the work; 1 where there are none. */
  readonly threads: number;
}

/**
 * Runs graphs. Made by a factory such as `createWasmBackend(options)`; owns memory until `dispose`.
 * Using it, its states or its executables after that is an Error that says so; runs that were asked for before take place.
 */
export interface Backend {
  /** Short name, as users write it: `reference`, `wasm`, … */
  readonly name: string;
  /** What really runs, for people: `wasm (relaxed SIMD, 2 threads)`. */
  readonly description: string;
  /** The precision that float32 tensors are computed in. */
  readonly precision: "float32" | "float64";
  /** What it can do here. */
  readonly limits: Limits;
  /** Memory for named values, all zero. @throws Error when a name occurs twice. */
  createState(specs: readonly StateSpec[]): Promise<State>;
  /**
   * Turns a graph into a plan. Every executable compiled with one state shares its values.
   * @throws Error when the graph names a state that `state` lacks or holds in another shape, or when a
   * limit is exceeded.
   */
  compile(graph: Graph, state?: State): Promise<Executable>;
  /** Frees everything, executables and states included. Calling it again does nothing. */
  dispose(): Promise<void>;
}

/** Named values on a backend. */
export interface State {
  /** What was created: names and shapes. */
  readonly specs: readonly StateSpec[];
  /** A copy of a value. @throws Error for an unknown name. */
  read(name: string): Promise<NdArray<Values>>;
  /** Replaces a value. @throws Error for an unknown name, RangeError for a wrong shape. */
  write(name: string, value: HostValue): Promise<void>;
  /** Frees the values; what was compiled with them can no longer run. */
  dispose(): Promise<void>;
}

/** The values that a run is fed, by the graph's input names. */
export type Feeds = Readonly<Record<string, HostValue>>;

/** The results of a run, by the graph's output names; copies that the caller owns. */
export type Fetches = Record<string, NdArray<Values>>;

/** A compiled graph. Runs of one backend that are started together take place one after another, in that order. */
export interface Executable {
  /** What was compiled. */
  readonly graph: Graph;
  /** Bytes of intermediate results that the plan holds at its peak; parameters not counted. */
  readonly workspaceBytes: number;
  /**
   * One step: reads feeds and states, computes the outputs, then replaces all updated states at once.
   * @throws Error for a missing or unknown feed, RangeError for a wrong shape or a label that is not
   * a class; nothing has changed then.
   */
  run(feeds?: Feeds): Promise<Fetches>;
  /** Runs once and returns each node's time in milliseconds, where the backend can tell. */
  profile?(feeds?: Feeds): Promise<readonly NodeTime[]>;
  /** Frees the plan and its memory; states stay. */
  dispose(): Promise<void>;
}

/** Time that one run spent on a node of `graph` (or on several that the backend runs as one). */
export interface NodeTime {
  readonly nodes: readonly number[];
  readonly milliseconds: number;
}
