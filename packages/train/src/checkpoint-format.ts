// The bytes of a checkpoint. Little-endian:
//   0  "fewnorm\n"
//   8  SHA-256 of everything from byte 40 on
//  40  uint32 version of this format
//  44  uint32 length of the header in bytes, a multiple of 4
//  48  uint64 length of the payload in bytes
//  56  header: JSON in UTF-8, filled up with spaces
//      payload: the tensors' float32 values, one tensor after another

import { sizeOf } from "@fewnorm/tensor";
import type { Checkpoint } from "./checkpoint.ts";
import { type Header, parseHeader, type TensorEntry } from "./checkpoint-header.ts";
import type { HostTensor } from "./trainer.ts";

const magic = new TextEncoder().encode("fewnorm\n");
const version = 1;
const hashAt = 8;
const hashedFrom = 40;
const headerAt = 56;

/** The checkpoint as bytes. Equal checkpoints give equal bytes. */
export async function encodeCheckpoint(checkpoint: Checkpoint): Promise<Uint8Array> {
  const { tensors, ...rest } = checkpoint;
  let payload = 0;
  const entries: TensorEntry[] = [];
  for (const [name, { shape }] of tensors) {
    entries.push({ name, shape: [...shape], offset: payload });
    payload += 4 * sizeOf(shape);
  }
  const json = new TextEncoder().encode(JSON.stringify({ ...rest, tensors: entries }));
  const header = Math.ceil(json.length / 4) * 4;
  const bytes = new Uint8Array(headerAt + header + payload);
  const view = new DataView(bytes.buffer);
  bytes.set(magic);
  view.setUint32(40, version, true);
  view.setUint32(44, header, true);
  view.setBigUint64(48, BigInt(payload), true);
  bytes.fill(0x20, headerAt, headerAt + header);
  bytes.set(json, headerAt);
  let at = headerAt + header;
  for (const { values } of tensors.values()) {
    for (const value of values) {
      view.setFloat32(at, value, true);
      at += 4;
    }
  }
  bytes.set(await sha256(bytes.subarray(hashedFrom)), hashAt);
  return bytes;
}

/**
 * The checkpoint that `bytes` hold.
 * @param where what messages call it, such as its path
 * @throws Error, in one line, for bytes that are not a checkpoint, of another version, cut off, changed
 *   anywhere, or inconsistent.
 */
export async function decodeCheckpoint(
  bytes: Uint8Array,
  where = "the checkpoint",
): Promise<Checkpoint> {
  const refuse = (problem: string): never => {
    throw new Error(`decodeCheckpoint: ${where} ${problem}`);
  };
  const begins = magic.subarray(0, bytes.length).every((byte, i) => bytes[i] === byte);
  if (bytes.length === 0) refuse("is empty; use another checkpoint");
  if (!begins) refuse("is not a fewnorm checkpoint; give the file that a training has written");
  if (bytes.length < headerAt) {
    refuse(`is cut off after ${bytes.length} bytes; use another checkpoint`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = view.getUint32(40, true);
  if (found !== version) {
    refuse(`has version ${found} of the format, this is ${version}; read it with its own version`);
  }
  const header = view.getUint32(44, true);
  const payload = view.getBigUint64(48, true);
  const total = BigInt(headerAt) + BigInt(header) + payload;
  if (total !== BigInt(bytes.length)) {
    refuse(`has ${bytes.length} bytes, but says ${total}; it is damaged, use another checkpoint`);
  }
  const hash = await sha256(bytes.subarray(hashedFrom));
  if (hash.some((byte, i) => byte !== bytes[hashAt + i])) {
    refuse("does not match its checksum; it is damaged, use another checkpoint");
  }
  // From here on the bytes are what somebody wrote; they may still be wrong.
  let parsed: Header;
  try {
    parsed = parseHeader(new TextDecoder().decode(bytes.subarray(headerAt, headerAt + header)));
  } catch (error) {
    return refuse(`has a header that cannot be used (${(error as Error).message})`);
  }
  const { tensors: entries, ...rest } = parsed;
  const tensors = new Map<string, HostTensor>();
  let offset = 0;
  for (const { name, shape, offset: stated } of entries) {
    if (tensors.has(name)) refuse(`holds "${name}" twice`);
    const size = sizeOf(shape);
    if (stated !== offset || offset + 4 * size > Number(payload)) {
      refuse(`says that "${name}" begins at ${stated} and has ${size} values, which does not fit`);
    }
    const begin = headerAt + header + offset;
    const values = Float32Array.from({ length: size }, (_, i) =>
      view.getFloat32(begin + 4 * i, true),
    );
    tensors.set(name, { shape, values });
    offset += 4 * size;
  }
  if (offset !== Number(payload)) {
    refuse(`holds ${Number(payload) - offset} bytes that belong to no tensor`);
  }
  return { ...rest, tensors };
}

async function sha256(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
}
