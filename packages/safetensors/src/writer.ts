// The bytes of a file, as pieces that are views of the tensors: nothing is held twice.

import { bytesOf } from "./dtypes.ts";
import {
  isWellFormed,
  maxHeaderBytes,
  maxStrings,
  maxTensors,
  metadataName,
  prefixBytes,
  show,
} from "./header.ts";
import type { FloatTensor } from "./reader.ts";

/** Options of {@link encodeSafetensors}. */
export interface EncodeOptions {
  /** Strings to keep beside the tensors. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** No piece is longer, so that any file system takes it in one write. */
const pieceBytes = 2 ** 24;

/**
 * The file that holds `tensors` as float32, piece by piece. Equal tensors in the same order give equal bytes.
 * @throws TypeError for what is no map of tensors; RangeError for a name that cannot be one, values that do not fill their shape, and for more than
 *   can be read again.
 */
export function safetensorsPieces(
  tensors: ReadonlyMap<string, FloatTensor>,
  options: EncodeOptions = {},
): Iterable<Uint8Array> {
  const header = encodeHeader(tensors, options.metadata);
  return (function* () {
    yield header;
    for (const { values } of tensors.values()) {
      const bytes = bytesOf(values);
      for (let at = 0; at < bytes.length; at += pieceBytes) {
        yield bytes.subarray(at, at + pieceBytes);
      }
    }
  })();
}

/** The same as one array. @throws RangeError as {@link safetensorsPieces}. */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, FloatTensor>,
  options: EncodeOptions = {},
): Uint8Array<ArrayBuffer> {
  const pieces = [...safetensorsPieces(tensors, options)];
  const bytes = new Uint8Array(pieces.reduce((total, piece) => total + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** The header's text for `tensors`, without what fills it up. @throws RangeError as {@link safetensorsPieces}. */
function headerTextOf(
  tensors: ReadonlyMap<string, FloatTensor>,
  metadata: Readonly<Record<string, string>> = {},
): string {
  if (typeof tensors?.entries !== "function") {
    throw new TypeError(
      `encodeSafetensors: tensors is ${tensors === undefined ? "undefined" : "no Map"}; give a Map, such as new Map([["w", { shape, values }]])`,
    );
  }
  // Members are written one by one: an object would move names that are numbers to the front.
  const members: string[] = [];
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== "string" || !isWellFormed(key) || !isWellFormed(value)) {
      throw new RangeError(
        `encodeSafetensors: the metadata's ${show(key)} must be a string of whole characters`,
      );
    }
  }
  if (Object.keys(metadata).length > 0) {
    members.push(`${JSON.stringify(metadataName)}:${JSON.stringify(metadata)}`);
  }
  let begin = 0;
  for (const [name, { shape, values }] of tensors) {
    if (!Array.isArray(shape)) {
      throw new TypeError(
        `encodeSafetensors: ${show(name)} has no shape; give { shape, values } for each name`,
      );
    }
    if (name === metadataName || !isWellFormed(name)) {
      throw new RangeError(`encodeSafetensors: ${show(name)} cannot be a tensor's name; rename it`);
    }
    if (
      !(values instanceof Float32Array) ||
      !shape.every((n) => Number.isSafeInteger(n) && n >= 0)
    ) {
      throw new RangeError(
        `encodeSafetensors: ${show(name)} of shape [${shape.join(", ")}] must have whole extents >= 0, and its values in a Float32Array`,
      );
    }
    const size = shape.reduce((product, extent) => product * extent, 1);
    if (size !== values.length) {
      throw new RangeError(
        `encodeSafetensors: ${show(name)} has ${values.length} values; its shape [${shape.join(", ")}] holds ${size}`,
      );
    }
    const end = begin + 4 * size;
    const entry = { dtype: "F32", shape, data_offsets: [begin, end] };
    members.push(`${JSON.stringify(name)}:${JSON.stringify(entry)}`);
    begin = end;
  }
  return `{${members.join(",")}}`;
}

function encodeHeader(
  tensors: ReadonlyMap<string, FloatTensor>,
  metadata: Readonly<Record<string, string>> | undefined,
): Uint8Array {
  const json = new TextEncoder().encode(headerTextOf(tensors, metadata));
  // Filled up so that the data begin at a multiple of 8, where any type can be read in place.
  const length = Math.ceil(json.length / 8) * 8;
  if (length > maxHeaderBytes || tensors.size > maxTensors) {
    throw new RangeError(
      `encodeSafetensors: ${tensors.size} tensors need a header of ${length} bytes; ${maxTensors} tensors and ${maxHeaderBytes} bytes are allowed, write several files`,
    );
  }
  const strings = Object.keys(metadata ?? {}).length;
  if (strings > maxStrings) {
    throw new RangeError(
      `encodeSafetensors: the metadata have ${strings} strings; ${maxStrings} are allowed, join some`,
    );
  }
  const bytes = new Uint8Array(prefixBytes + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, prefixBytes);
  return bytes;
}
