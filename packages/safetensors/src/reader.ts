// Opens a file and reads one tensor after another, each when it is asked for.

import { type TensorDType, type TensorValues, valuesOf } from "./dtypes.ts";
import {
  type Header,
  headerLength,
  parseHeader,
  prefixBytes,
  type Refuse,
  show,
  type TensorInfo,
} from "./header.ts";

/** Bytes that can be read from anywhere, such as a file. */
export interface ByteSource {
  readonly size: number;
  /** Fills `target` with the bytes from `position` on. @throws Error when there are not as many. */
  readInto(target: Uint8Array, position: number): Promise<void>;
}

/** A tensor, row-major. */
export interface StoredTensor {
  readonly dtype: TensorDType;
  readonly shape: readonly number[];
  readonly values: TensorValues;
}

/** A tensor in float32, row-major: what can be written. */
export interface FloatTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** An open file. Its header has been checked, no tensor has been read. */
export interface Safetensors extends Header {
  /** The header's text as it stands in the file. */
  readonly headerText: string;
  /** One tensor. @throws Error for a name that there is not, and when the bytes cannot be read. */
  read(name: string): Promise<StoredTensor>;
  /**
   * One tensor of floating point as float32: F32 bit for bit, F16 and BF16 exactly, F64 rounded.
   * @throws Error as `read`, and for whole numbers.
   */
  readFloat32(name: string): Promise<FloatTensor>;
}

/** Options of {@link openSafetensors}. */
export interface OpenOptions {
  /** What messages call the file, such as its path. */
  readonly where?: string;
}

/**
 * Opens a safetensors file. Only its header is read here, each tensor when it is asked for.
 * @throws Error, in one line, for whatever the format does not allow: a file that is cut off, a length that
 *   lies, offsets that overlap, leave gaps or point outside, types and shapes that do not fit their bytes,
 *   names that occur twice, headers above 16 MiB, more than 100,000 tensors or strings of metadata; TypeError for what
 *   is neither bytes nor a source, such as a path.
 */
export async function openSafetensors(
  file: Uint8Array | Blob | ByteSource,
  options: OpenOptions = {},
): Promise<Safetensors> {
  const { where = "the file" } = options;
  const refuse: Refuse = (problem) => {
    throw new Error(`openSafetensors: ${where} ${problem}`);
  };
  const source = sourceOf(file);
  if (source.size < prefixBytes) {
    refuse(`has ${source.size} bytes, too few for a safetensors file`);
  }
  const prefix = new Uint8Array(prefixBytes);
  await source.readInto(prefix, 0);
  const length = headerLength(prefix, source.size, refuse);
  const bytes = new Uint8Array(length);
  await source.readInto(bytes, prefixBytes);
  const dataBegin = prefixBytes + length;
  const { tensors, metadata } = parseHeader(bytes, source.size - dataBegin, refuse);

  const infoOf = (name: string): TensorInfo => {
    const info = tensors.get(name);
    if (info !== undefined) return info;
    return refuse(`holds no tensor ${show(name)}; see tensors for its names`);
  };
  const read = async (name: string): Promise<StoredTensor> => {
    const { dtype, shape, begin, end } = infoOf(name);
    const buffer = new ArrayBuffer(end - begin);
    await source.readInto(new Uint8Array(buffer), dataBegin + begin);
    return { dtype, shape, values: valuesOf(dtype, buffer) };
  };
  return {
    tensors,
    metadata,
    headerText: new TextDecoder().decode(bytes),
    read,
    async readFloat32(name) {
      const { dtype } = infoOf(name);
      if (!/^B?F/.test(dtype)) refuse(`holds ${show(name)} as ${dtype}, not in floating point`);
      const { shape, values } = await read(name);
      return { shape, values: values instanceof Float32Array ? values : narrowed(values) };
    },
  };
}

const narrowed = (values: TensorValues): Float32Array => new Float32Array(values as Float64Array);

function sourceOf(file: Uint8Array | Blob | ByteSource): ByteSource {
  if (file instanceof Uint8Array) {
    return {
      size: file.length,
      async readInto(target, position) {
        target.set(file.subarray(position, position + target.length));
      },
    };
  }
  if (!(file instanceof Blob)) {
    if (typeof file?.readInto === "function") return file;
    const shown = typeof file === "string" ? JSON.stringify(file) : "neither bytes nor a source";
    throw new TypeError(
      `openSafetensors: the file is ${shown}; give bytes, a Blob or a source, and a path to openSafetensorsFile of @fewnorm/safetensors/node`,
    );
  }
  const pieceBytes = 2 ** 24;
  return {
    size: file.size,
    async readInto(target, position) {
      for (let at = 0; at < target.length; at += pieceBytes) {
        const end = Math.min(at + pieceBytes, target.length);
        const piece = await file.slice(position + at, position + end).arrayBuffer();
        target.set(new Uint8Array(piece), at);
      }
    },
  };
}
