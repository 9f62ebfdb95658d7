// States that stay where a pipeline's kernels read them. gpu.js copies a pipeline's arguments twice, uploads them and reads
// back its results at each call; its executors for whole plans keep both in memory of their own, in which a new value can
// be copied over the old one, and what is fed can be written at once. That takes members of gpu.js that are not documented: where they are not what is expected,
// states travel with each call instead.

import type { Pipeline } from "./gpu-js.ts";
import type { Holder, StateValue } from "./state.ts";

/** The memory of one compiled pipeline. */
export interface PipelineMemory {
  /** Writes an argument's values. */
  write(argument: number, values: Float32Array): void;
  /** Replaces arguments by results, as one, after a run. */
  carry(moves: readonly Move[]): void;
  /** Copies of what the last run left in the results of these moves, which is where it can be read. */
  read(moves: readonly Move[]): Promise<readonly Float32Array[]>;
  /** A run failed on the way, and may have left anything in its results. */
  spoil(): void;
  /** Frees the arguments that were taken over; the pipeline frees the rest. */
  free(): void;
}

/** From a part of a result, which begins at `offset`. */
export interface Move {
  readonly result: number;
  readonly offset: number;
  readonly argument: number;
}

interface Taken {
  /** Arguments that are states or fed, and results of which only states are made. */
  readonly argumentList: readonly number[];
  readonly results: readonly number[];
}

/**
 * Takes over arguments and results of a pipeline that has run once: it neither uploads these arguments nor reads back
 * these results any more.
 * @returns undefined where its executor is none that this is known of.
 */
export function takeOver(pipeline: Pipeline, taken: Taken): PipelineMemory | undefined {
  const { _executor: executor } =
    (pipeline as { pipeline?: { _executor?: unknown } }).pipeline ?? {};
  if (typeof executor !== "object" || executor === null) return undefined;
  if (isEncoder(executor)) return takeEncoder(executor, taken);
  if (isWasm(executor)) return takeWasm(executor, taken);
  return undefined;
}

interface Read {
  readonly kind: string;
  readonly value?: unknown;
}

/** gpu.js does not copy what it takes for a literal. */
const nothing: Read = { kind: "literal", value: null };

// WebGPU: arguments and results are buffers.

interface Buffer {
  destroy(): void;
  mapAsync(mode: number): Promise<void>;
  getMappedRange(): ArrayBuffer;
  unmap(): void;
}

interface EncoderRead extends Read {
  readonly buffer: Buffer;
  readonly byteLength: number;
}

interface Encoder {
  copyBufferToBuffer(from: Buffer, at: number, to: Buffer, offset: number, bytes: number): void;
  finish(): unknown;
}

interface EncoderExecutor {
  readonly _argRegions: Map<number, { readonly buffer: Buffer; readonly flatLength: number }>;
  readonly _resultReads: Read[];
  readonly _device: {
    readonly queue: {
      writeBuffer(buffer: Buffer, offset: number, values: Float32Array): void;
      submit(commands: readonly unknown[]): void;
    };
    createBuffer(settings: { readonly size: number; readonly usage: number }): Buffer;
    createCommandEncoder(): Encoder;
  };
}

/** GPUBufferUsage.MAP_READ | COPY_DST, and GPUMapMode.READ. */
const [READ_BACK, MAP_READ] = [0x0001 | 0x0008, 0x0001];

const isEncoder = (executor: object): executor is EncoderExecutor =>
  "_argRegions" in executor &&
  executor._argRegions instanceof Map &&
  "_device" in executor &&
  "_resultReads" in executor &&
  Array.isArray(executor._resultReads);

function takeEncoder(executor: EncoderExecutor, { argumentList, results }: Taken) {
  const { _argRegions: regions, _resultReads: reads, _device: device } = executor;
  const buffers = new Map<number, { readonly buffer: Buffer; readonly bytes: number }>();
  const sources = reads.map((read) => read as EncoderRead);
  const fits =
    argumentList.every((index) => regions.get(index)?.buffer !== undefined) &&
    results.every((index) => sources[index]?.kind === "step");
  if (!fits) return undefined;
  for (const index of argumentList) {
    const region = regions.get(index) as { readonly buffer: Buffer; readonly flatLength: number };
    buffers.set(index, { buffer: region.buffer, bytes: 4 * region.flatLength });
    regions.delete(index);
  }
  for (const index of results) reads[index] = nothing;
  const bufferOf = (index: number) => buffers.get(index) as { buffer: Buffer; bytes: number };
  let spoilt = false;
  const memory: PipelineMemory = {
    write: (index, values) => device.queue.writeBuffer(bufferOf(index).buffer, 0, values),
    carry(moves) {
      const encoder = device.createCommandEncoder();
      for (const { result, offset, argument } of moves) {
        const { buffer, bytes } = bufferOf(argument);
        const source = (sources[result] as EncoderRead).buffer;
        encoder.copyBufferToBuffer(source, 4 * offset, buffer, 0, bytes);
      }
      device.queue.submit([encoder.finish()]);
    },
    async read(moves) {
      if (spoilt) throw new Error("a run failed on the GPU, and the states in its memory are gone");
      const wanted = moves.map(({ result, offset, argument }) => ({
        buffer: (sources[result] as EncoderRead).buffer,
        from: 4 * offset,
        bytes: bufferOf(argument).bytes,
      }));
      const size = wanted.reduce((sum, { bytes }) => sum + bytes, 0);
      if (size === 0) return [];
      const staging = device.createBuffer({ size, usage: READ_BACK });
      try {
        const encoder = device.createCommandEncoder();
        let to = 0;
        for (const { buffer, from, bytes } of wanted) {
          encoder.copyBufferToBuffer(buffer, from, staging, to, bytes);
          to += bytes;
        }
        device.queue.submit([encoder.finish()]);
        await staging.mapAsync(MAP_READ);
        const all = new Float32Array(staging.getMappedRange().slice(0));
        staging.unmap();
        let at = 0;
        return wanted.map(({ bytes }) => {
          at += bytes / 4;
          return all.slice(at - bytes / 4, at);
        });
      } finally {
        staging.destroy();
      }
    },
    spoil() {
      spoilt = true;
    },
    free() {
      for (const { buffer } of buffers.values()) buffer.destroy();
    },
  };
  return memory;
}

// WebAssembly: arguments and results lie in one memory.

interface WasmRead extends Read {
  readonly base: number;
  readonly count: number;
}

interface WasmExecutor {
  readonly _argArrayRegions: Map<number, { readonly offset: number; readonly flatLength: number }>;
  readonly _resultReads: Read[];
  readonly f32: Float32Array;
}

const isWasm = (executor: object): executor is WasmExecutor =>
  "_argArrayRegions" in executor &&
  executor._argArrayRegions instanceof Map &&
  "f32" in executor &&
  executor.f32 instanceof Float32Array &&
  "_resultReads" in executor &&
  Array.isArray(executor._resultReads);

function takeWasm(executor: WasmExecutor, { argumentList, results }: Taken) {
  const { _argArrayRegions: regions, _resultReads: reads, f32 } = executor;
  const sources = reads.map((read) => read as WasmRead);
  const fits =
    argumentList.every((index) => regions.get(index) !== undefined) &&
    results.every((index) => sources[index]?.kind === "step");
  if (!fits) return undefined;
  const places = new Map(
    argumentList.map((index) => {
      const { offset, flatLength } = regions.get(index) as { offset: number; flatLength: number };
      return [index, f32.subarray(offset / 4, offset / 4 + flatLength)];
    }),
  );
  for (const index of argumentList) regions.delete(index);
  for (const index of results) reads[index] = nothing;
  const memory: PipelineMemory = {
    write: (index, values) => places.get(index)?.set(values),
    carry(moves) {
      for (const { result, offset, argument } of moves) {
        const place = places.get(argument) as Float32Array;
        const base = (sources[result] as WasmRead).base + offset;
        place.set(f32.subarray(base, base + place.length));
      }
    },
    read: async (moves) =>
      moves.map(({ argument }) => (places.get(argument) as Float32Array).slice()),
    // The arguments themselves are read, which no run writes to.
    spoil() {},
    free() {},
  };
  return memory;
}

/** A state among a pipeline's arguments. */
export interface ResidentState {
  readonly value: StateValue;
  readonly argument: number;
  /** The result that its next value is a part of, where it has one, and from which element on. */
  readonly next: Pick<Move, "result" | "offset"> | undefined;
}

/** States in a pipeline's memory, and which of them is the newest value. */
export interface Residents extends Holder {
  readonly states: readonly ResidentState[];
  /** Arguments that are written before each run. */
  readonly fed: ReadonlySet<number>;
  write(argument: number, values: Float32Array): void;
  /** States that have changed elsewhere since the last run. */
  stale(): readonly StateValue[];
  /** Writes these; the host must have them. */
  update(): void;
  /** After a run: its results are the states' values. */
  carry(): void;
  /** A run failed. */
  spoil(): void;
  free(): void;
}

export function createResidents(
  memory: PipelineMemory,
  states: readonly ResidentState[],
  fed: ReadonlySet<number>,
  explain: (error: unknown) => Error,
): Residents {
  const versions = new Map<StateValue, number>();
  const moving = states.flatMap(({ value, argument, next }) =>
    next === undefined ? [] : [{ value, argument, ...next }],
  );
  const isStale = (value: StateValue) => versions.get(value) !== value.version;
  const residents: Residents = {
    states,
    fed,
    write: (argument, values) => memory.write(argument, values),
    stale: () => states.map(({ value }) => value).filter(isStale),
    update() {
      for (const { value, argument } of states) {
        if (!isStale(value)) continue;
        memory.write(argument, value.values);
        versions.set(value, value.version);
      }
    },
    carry() {
      if (moving.length === 0) return;
      memory.carry(moving);
      for (const { value } of moving) {
        value.holder = residents;
        versions.set(value, ++value.version);
      }
    },
    async fetch() {
      const held = moving.filter(({ value }) => value.holder === residents);
      if (held.length === 0) return;
      const arrays = await memory.read(held).catch((error: unknown) => {
        throw explain(error);
      });
      for (const [i, { value }] of held.entries()) {
        value.values = arrays[i] as Float32Array;
        value.holder = undefined;
      }
    },
    spoil: () => memory.spoil(),
    free: () => memory.free(),
  };
  return residents;
}
