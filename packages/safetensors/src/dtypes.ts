// The element types of the format, and their values as JavaScript has them.

/** Values of a tensor. Half precision is widened to float32, booleans are bytes of 0 and 1. */
export type TensorValues =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array;

interface DType {
  /** Bytes of an element. */
  readonly width: number;
  /** The values in a buffer that holds nothing else, in this machine's byte order. */
  readonly values: (buffer: ArrayBuffer) => TensorValues;
}

const dtypes = {
  F32: { width: 4, values: (buffer) => new Float32Array(buffer) },
  F64: { width: 8, values: (buffer) => new Float64Array(buffer) },
  F16: {
    width: 2,
    values: (buffer) => new Float32Array(new Uint16Array(buffer)).map(halfToNumber),
  },
  BF16: {
    width: 2,
    // The upper half of a float32.
    values: (buffer) =>
      new Float32Array(new Uint32Array(new Uint16Array(buffer)).map((bits) => bits << 16).buffer),
  },
  I64: { width: 8, values: (buffer) => new BigInt64Array(buffer) },
  I32: { width: 4, values: (buffer) => new Int32Array(buffer) },
  I16: { width: 2, values: (buffer) => new Int16Array(buffer) },
  I8: { width: 1, values: (buffer) => new Int8Array(buffer) },
  U64: { width: 8, values: (buffer) => new BigUint64Array(buffer) },
  U32: { width: 4, values: (buffer) => new Uint32Array(buffer) },
  U16: { width: 2, values: (buffer) => new Uint16Array(buffer) },
  U8: { width: 1, values: (buffer) => new Uint8Array(buffer) },
  BOOL: { width: 1, values: (buffer) => new Uint8Array(buffer) },
} as const satisfies Record<string, DType>;

/** Element types that can be read. */
export type TensorDType = keyof typeof dtypes;

/** All types that can be read, as files write them. */
export const dtypeNames = Object.keys(dtypes) as readonly TensorDType[];

export const isDType = (name: unknown): name is TensorDType =>
  typeof name === "string" && Object.hasOwn(dtypes, name);

export const widthOf = (dtype: TensorDType): number => dtypes[dtype].width;

/** The values in `buffer`, which holds their little-endian bytes and nothing else, and is used up. */
export function valuesOf(dtype: TensorDType, buffer: ArrayBuffer): TensorValues {
  const { width, values } = dtypes[dtype];
  return values(inMachineOrder(buffer, width));
}

/** The little-endian bytes of `values`: a view of them, except on a big-endian machine. */
export function bytesOf(values: Float32Array): Uint8Array {
  const { buffer, byteOffset, byteLength } = values;
  if (littleEndian) return new Uint8Array(buffer, byteOffset, byteLength);
  return new Uint8Array(inMachineOrder(values.slice().buffer, 4));
}

const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Turns elements of `width` bytes around, in place, where this machine is big-endian. */
function inMachineOrder(buffer: ArrayBuffer, width: number): ArrayBuffer {
  if (littleEndian) return buffer;
  const bytes = new Uint8Array(buffer);
  for (let at = 0; at < bytes.length; at += width) bytes.subarray(at, at + width).reverse();
  return buffer;
}

/** IEEE 754 binary16: 1 bit of sign, 5 of exponent, 10 of fraction. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
