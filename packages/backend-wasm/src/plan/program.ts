// The program between graph and memory: instructions over buffers that have no addresses yet.

/** A piece of memory. `state` and `constant` buffers have addresses of their own; the workspace is planned. */
export interface Buffer {
  readonly id: number;
  readonly kind: "workspace" | "state" | "constant";
  /** May grow while instructions are recorded (scratch). */
  bytes: number;
  /** Address of a state or constant. */
  readonly address: number;
  /** Alive before the first instruction, or after the last: filled or read by the host, or by other runs. */
  fed: boolean;
  fetched: boolean;
}

/** A place in a buffer, in bytes. */
export interface Place {
  readonly buffer: Buffer;
  readonly offset: number;
}

/** A cyclic range of rows; `start` is where the first is read, and `offset` is below `modulo`. */
export interface RowMapping {
  readonly start: Place;
  readonly base: number;
  readonly modulo: number;
  readonly offset: number;
}

/** The map whose order threads take `rows` rows in (turnOf in assembly/common.ts), if they do. */
export function turnOf(
  map: RowMapping | undefined,
  rows: number | undefined,
): RowMapping | undefined {
  return map !== undefined && 2 * (rows ?? 1) > map.modulo ? map : undefined;
}

/**
 * An argument of an instruction: a number, an address, the address of a row map (0 without one), or the bytes of
 * one thread's share of a buffer.
 */
export type Argument =
  | number
  | { readonly place: Place }
  | { readonly map: RowMapping | undefined }
  | { readonly shareOf: Buffer };

/**
 * Memory that an instruction reads or writes. Instructions whose accesses have one range and one key touch each
 * byte of it on the same thread; "" says nothing of the kind is known. "single": only thread 0 works. "each": every
 * thread touches all of it.
 */
export interface Access {
  readonly place: Place;
  readonly bytes: number;
  readonly key: string;
  readonly write: boolean;
  /** Of the range, only the first `count` rows of this map. */
  readonly rows?: { readonly map: RowMapping; readonly count: number } | undefined;
}

export interface Instruction {
  readonly op: number;
  readonly args: readonly Argument[];
  readonly accesses: readonly Access[];
  /** The map whose order threads take rows in, where they do. */
  readonly turn?: RowMapping | undefined;
  /** The graph's node that it belongs to. */
  readonly node: number;
}

export interface Program {
  readonly threads: number;
  readonly instructions: readonly Instruction[];
  /** So many of the first compute what stays from run to run, as long as states and the workspace do. */
  readonly lasting: number;
  readonly buffers: readonly Buffer[];
}

export const at = (place: Place | undefined): Argument => (place === undefined ? 0 : { place });
export const mapped = (map: RowMapping | undefined): Argument => ({ map });

/** Equal maps have equal names. */
export function mapName(map: RowMapping | undefined): string {
  if (map === undefined) return "";
  const { start, base, modulo, offset } = map;
  return `@${start.buffer.id}+${start.offset}:${base}:${modulo}:${offset}`;
}

/** What is touched in memory of `bytes` at `place`, or of the rows of a map in all the buffer. */
export function rangeOf(
  place: Place,
  bytes: number,
  map: RowMapping | undefined,
  count: number | undefined,
): Pick<Access, "place" | "bytes" | "rows"> {
  if (map === undefined) return { place, bytes };
  const { buffer } = place;
  return {
    place: { buffer, offset: 0 },
    bytes: buffer.bytes,
    rows: { map, count: count ?? 1 },
  };
}

export function reads(place: Place, bytes: number, key = ""): Access {
  return { place, bytes, key, write: false };
}

export function writes(place: Place, bytes: number, key = ""): Access {
  return { place, bytes, key, write: true };
}
