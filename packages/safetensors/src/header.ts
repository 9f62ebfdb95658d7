// The header of a file, checked in full before anything of it is believed.
//
// A file is: uint64, little-endian, the header's length n; n bytes of JSON in UTF-8, filled up with spaces;
// the tensors' bytes, without a gap or an overlap. The JSON is an object that holds, for each name,
// { dtype, shape, data_offsets: [begin, end) }, and may hold strings under `__metadata__`.
// Source: https://github.com/huggingface/safetensors, "Format".

import { dtypeNames, isDType, type TensorDType, widthOf } from "./dtypes.ts";

/** A tensor as the header describes it. */
export interface TensorInfo {
  readonly dtype: TensorDType;
  readonly shape: readonly number[];
  /** Its first byte, and the one after its last, counted from the beginning of the data. */
  readonly begin: number;
  readonly end: number;
}

/** What a header says. */
export interface Header {
  /** In the order of their bytes. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** Longer headers are refused before they are read. */
export const maxHeaderBytes = 2 ** 24;
/** More tensors are refused before they are listed. */
export const maxTensors = 100_000;
/** More strings of metadata are refused as well. */
export const maxStrings = 100_000;
/** The name of what is no tensor. */
export const metadataName = "__metadata__";
/** The bytes before the header: its length. */
export const prefixBytes = 8;

/** Says what is wrong with a file. */
export type Refuse = (problem: string) => never;

/**
 * The length of the header, from the first 8 bytes of a file of `size` bytes.
 * @throws by `refuse`, for a length that cannot be.
 */
export function headerLength(prefix: Uint8Array, size: number, refuse: Refuse): number {
  const view = new DataView(prefix.buffer, prefix.byteOffset, prefix.byteLength);
  const length = view.getBigUint64(0, true);
  if (length > BigInt(size - prefixBytes)) {
    refuse(
      `has ${size} bytes, but says that its header alone has ${length}; it is cut off, or no safetensors file`,
    );
  }
  if (length > BigInt(maxHeaderBytes)) {
    refuse(`has a header of ${length} bytes; ${maxHeaderBytes} are allowed, split it into files`);
  }
  if (length < 2n) refuse(`has a header of ${length} bytes, too short to be one`);
  return Number(length);
}

/**
 * The header in `bytes`, of a file with `dataBytes` bytes of data after it.
 * @throws by `refuse`, in one line, for all that the format does not allow.
 */
export function parseHeader(bytes: Uint8Array, dataBytes: number, refuse: Refuse): Header {
  if (bytes[0] !== 0x7b) refuse("has a header that does not begin with {");
  const json = decode(bytes, refuse);
  // First of all the size of what is to come: JSON can nest a long way in a few bytes.
  const { members, depth, fraction } = measure(json);
  if (depth > 3) refuse(`has a header that is nested ${depth} deep; 3 are allowed`);
  if (members > membersOf(maxTensors, maxStrings)) {
    refuse(`has a header of ${members} fields; ${maxTensors} tensors are allowed, split it`);
  }
  const table = parse(json, refuse);
  const metadata = metadataOf(table.get(metadataName), refuse);
  table.delete(metadataName);
  const strings = metadata?.size ?? 0;
  if (table.size > maxTensors || strings > maxStrings) {
    refuse(
      `holds ${table.size} tensors and ${strings} strings; ${maxTensors} tensors and ${maxStrings} strings are allowed, split it`,
    );
  }
  const infos = [...table].map(([name, entry]) => [name, tensorOf(name, entry, refuse)] as const);
  // JSON.parse keeps the last of several members with one name, and thus fewer than were written.
  if (membersOf(table.size, metadata?.size) !== members)
    refuse("has a header that holds a name twice");
  if (fraction) refuse("has a header that writes a whole number as a fraction, as in 8.0 or 8e0");
  infos.sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let reached = 0;
  for (const [name, { begin, end }] of infos) {
    if (begin !== reached) {
      const what = begin < reached ? "overlaps the tensor before it" : "leaves a gap before it";
      refuse(`says that ${show(name)} begins at ${begin}, which ${what}, that ends at ${reached}`);
    }
    reached = end;
  }
  if (reached !== dataBytes) {
    const what = reached > dataBytes ? "is cut off" : "holds bytes of no tensor";
    refuse(`has ${dataBytes} bytes of data, but its tensors ${reached}; it ${what}`);
  }
  return { tensors: new Map(infos), metadata: metadata ?? new Map() };
}

/** A tensor takes four members, its name and three fields; metadata, where there are any, one and one for each string. */
const membersOf = (tensors: number, strings?: number): number =>
  4 * tensors + (strings === undefined ? 0 : 1 + strings);

function decode(bytes: Uint8Array, refuse: Refuse): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return refuse("has a header that is not UTF-8");
  }
}

/**
 * How many members the objects of a JSON text have together, how deep it nests, and whether a number has a point or an
 * exponent, which whole numbers have not: once parsed, 8.0 is 8.
 */
function measure(json: string): { members: number; depth: number; fraction: boolean } {
  let [members, depth, deepest, fraction] = [0, 0, 0, false];
  for (let i = 0; i < json.length; i++) {
    const letter = json[i];
    if (letter === '"') {
      for (i++; i < json.length && json[i] !== '"'; i++) if (json[i] === "\\") i++;
    } else if (letter === ":") members++;
    else if (letter === "{" || letter === "[") deepest = Math.max(deepest, ++depth);
    else if (letter === "}" || letter === "]") depth--;
    else if (letter === ".") fraction = true;
    else if (letter === "e" || letter === "E") fraction ||= /\d/.test(json[i - 1] ?? "");
  }
  return { members, depth: deepest, fraction };
}

function parse(json: string, refuse: Refuse): Map<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    return refuse("has a header that is not JSON");
  }
  return new Map(Object.entries(parsed as object));
}

function metadataOf(value: unknown, refuse: Refuse): Map<string, string> | undefined {
  if (value === undefined) return undefined;
  if (!isObject(value)) return refuse(`has a ${metadataName} that is not an object`);
  const entries = Object.entries(value);
  for (const [key, text] of entries) {
    if (typeof text !== "string") refuse(`has metadata ${show(key)} that is not a string`);
    else if (!isWellFormed(key) || !isWellFormed(text))
      refuse(`has metadata ${show(key)} that is not Unicode`);
  }
  return new Map(entries as [string, string][]);
}

function tensorOf(name: string, entry: unknown, refuse: Refuse): TensorInfo {
  if (!isWellFormed(name)) refuse(`has a name that is not Unicode, ${show(name)}`);
  if (!isObject(entry)) return refuse(`has no description of ${show(name)}`);
  const { dtype, shape, data_offsets: offsets, ...rest } = entry;
  for (const field of Object.keys(rest)) {
    refuse(`describes ${show(name)} with an unknown field, ${show(field)}`);
  }
  if (!isDType(dtype)) {
    return refuse(`holds ${show(name)} as ${show(dtype)}; types are ${dtypeNames.join(", ")}`);
  }
  if (!isCounts(shape)) return refuse(`has no shape of whole numbers for ${show(name)}`);
  if (!isCounts(offsets) || offsets.length !== 2) {
    return refuse(`has no two data_offsets of whole numbers for ${show(name)}`);
  }
  const [begin, end] = offsets as [number, number];
  if (end < begin) refuse(`says that ${show(name)} ends at ${end}, before it begins at ${begin}`);
  let bytes = widthOf(dtype);
  for (const extent of shape) {
    bytes *= extent;
    if (!Number.isSafeInteger(bytes)) refuse(`has a shape for ${show(name)} that is too large`);
  }
  if (bytes !== end - begin) {
    refuse(
      `holds ${show(name)} in ${end - begin} bytes; ${dtype} of shape [${shape.slice(0, 8).join(", ")}] has ${bytes}`,
    );
  }
  return { dtype, shape, begin, end };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isCounts = (value: unknown): value is readonly number[] =>
  Array.isArray(value) &&
  value.every((count) => Number.isSafeInteger(count) && count >= 0 && !Object.is(count, -0));

/** Whether a text has no half of a surrogate pair, which UTF-8 could not hold. */
export const isWellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text);

/** A value as a message shows it: never longer than a line. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
