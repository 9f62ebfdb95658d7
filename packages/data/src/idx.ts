// IDX, the file format of MNIST: a small header and an array of numbers.
// Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database", section "File formats".
// Header: two zero bytes, a type (8 = unsigned byte), the number of dimensions, each as 32 bits big-endian.
import { gunzip, isGzip, readBytes } from "./files.ts";

/** An array of bytes with its dimensions, the last one running fastest. */
export interface Idx {
  /** The sizes of its axes, [N, H, W] for images. */
  readonly dimensions: readonly number[];
  /** The bytes, row-major. */
  readonly data: Uint8Array;
}

const types: Readonly<Record<number, string>> = {
  8: "uint8",
  9: "int8",
  11: "int16",
  12: "int32",
  13: "float32",
  14: "float64",
};

/**
 * Reads an IDX file of unsigned bytes, gzipped or not (told by its content, not its name).
 * @throws Error, in one line, if it cannot be read, is empty, is cut off or too long, or has another type.
 */
export async function loadIdx(path: string): Promise<Idx> {
  const who = "loadIdx";
  const bytes = await readBytes(who, path);
  return parseIdx(isGzip(bytes) ? await gunzip(who, path, bytes) : bytes, path, who);
}

/**
 * Reads the bytes of an IDX file of unsigned bytes, already unpacked. `data` is a view of `bytes`.
 * @param name names the bytes in errors
 * @throws Error as `loadIdx`
 */
export function parseIdx(bytes: Uint8Array, name: string, who = "parseIdx"): Idx {
  if (bytes.length === 0) throw new Error(`${who}: ${name} is empty; download it again`);
  if (bytes.length < 4) {
    throw new Error(
      `${who}: ${name} has ${bytes.length} bytes, and the header of an IDX file takes 8 or more; it is cut off, or no IDX file`,
    );
  }
  const [zero0, zero1, type = 0, rank = 0] = bytes;
  if (zero0 !== 0 || zero1 !== 0 || !(type in types) || rank === 0) {
    const start = [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, "0"));
    throw new Error(
      `${who}: ${name} is not an IDX file: it starts with ${start.join(" ")} instead of 00 00 08 and the number of dimensions`,
    );
  }
  if (type !== 8) {
    throw new Error(`${who}: ${name} holds ${types[type]} values; only uint8 is supported`);
  }
  const header = 4 + 4 * rank;
  if (bytes.length < header) {
    throw new Error(
      `${who}: ${name} has ${bytes.length} bytes, its header of ${rank} dimensions takes ${header}; it is cut off`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const dimensions = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const size = dimensions.reduce((product, extent) => product * extent, 1);
  if (size === 0) throw new Error(`${who}: ${name} holds no values: it is ${dimensions.join("×")}`);
  if (bytes.length !== header + size) {
    throw new Error(
      `${who}: ${name} has ${bytes.length} bytes, ${dimensions.join("×")} values and the header take ${header + size}; it is ${bytes.length < header + size ? "cut off" : "too long"}`,
    );
  }
  return { dimensions, data: bytes.subarray(header) };
}
