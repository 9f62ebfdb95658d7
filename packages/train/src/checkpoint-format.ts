// A checkpoint as a safetensors file: parameters, running statistics and optimizer slots are its tensors.
// Its metadata hold
//   fewnorm.checkpoint  JSON: step, settings, notes, progress
//   fewnorm.sha256      SHA-256 of the SHA-256 of the header, with zeros in place of this one, and of those of
//                       every tensor's bytes: the format itself does not notice when a value changes

import {
  encodeSafetensors,
  openSafetensors,
  type Safetensors,
  safetensorsPieces,
} from "@fewnorm/safetensors";
import type { Checkpoint } from "./checkpoint.ts";
import { type Header, parseHeader } from "./checkpoint-header.ts";
import type { HostTensor } from "./trainer.ts";

const contentKey = "fewnorm.checkpoint";
const digestKey = "fewnorm.sha256";
const noDigest = "0".repeat(64);

export const isCheckpoint = (file: Safetensors): boolean => file.metadata.has(contentKey);

/** The metadata of the file that holds the checkpoint's tensors; `more` is kept as well. */
export async function checkpointMetadata(
  checkpoint: Checkpoint,
  more: Readonly<Record<string, string>> = {},
): Promise<Record<string, string>> {
  const { tensors, ...rest } = checkpoint;
  const metadata = {
    format: "pt",
    ...more,
    [contentKey]: JSON.stringify({ version: 1, ...rest }),
    [digestKey]: noDigest,
  };
  const [first] = safetensorsPieces(tensors, { metadata });
  const digest = await digestOf((first as Uint8Array).subarray(8), tensors);
  return { ...metadata, [digestKey]: digest };
}

/** The checkpoint as bytes. Equal checkpoints give equal bytes. */
export async function encodeCheckpoint(checkpoint: Checkpoint): Promise<Uint8Array> {
  const metadata = await checkpointMetadata(checkpoint);
  return encodeSafetensors(checkpoint.tensors, { metadata });
}

/**
 * The checkpoint in a safetensors file or its bytes. Tensors are read one by one.
 * @param where what messages call it, such as its path
 * @throws Error, in one line, for what is not a checkpoint, of another version, cut off, changed anywhere, or
 *   inconsistent.
 */
export async function decodeCheckpoint(
  source: Safetensors | Uint8Array,
  where = "the checkpoint",
): Promise<Checkpoint> {
  const refuse = (problem: string): never => {
    throw new Error(`decodeCheckpoint: ${where} ${problem}`);
  };
  const file = source instanceof Uint8Array ? await openSafetensors(source, { where }) : source;
  const tensors = await readUnchanged(file, refuse);
  // From here on it is what somebody wrote; it may still be wrong.
  try {
    const { version: _, ...rest }: Header = parseHeader(file.metadata.get(contentKey) as string);
    return { ...rest, tensors };
  } catch (error) {
    return refuse(`has a header that cannot be used (${(error as Error).message})`);
  }
}

/** A checkpoint's tensors, read one by one. @throws by `refuse`, where the file is none or has changed anywhere. */
export async function readUnchanged(
  file: Safetensors,
  refuse: (problem: string) => never,
): Promise<Map<string, HostTensor>> {
  const digest = file.metadata.get(digestKey);
  if (digest === undefined || !isCheckpoint(file)) {
    return refuse("is not a fewnorm checkpoint; give the file that a training has written");
  }
  const tensors = new Map<string, HostTensor>();
  for (const [name, { dtype }] of file.tensors) {
    if (dtype !== "F32") refuse(`holds "${name}" as ${dtype}, where checkpoints have F32`);
    tensors.set(name, await file.readFloat32(name));
  }
  const header = new TextEncoder().encode(file.headerText.replace(digest, noDigest));
  if ((await digestOf(header, tensors)) !== digest) {
    refuse("does not match its checksum; it is damaged, use another checkpoint");
  }
  return tensors;
}

async function digestOf(
  header: Uint8Array,
  tensors: ReadonlyMap<string, HostTensor>,
): Promise<string> {
  const parts = [header, ...[...tensors.values()].map(({ values }) => values)];
  const digests = new Uint8Array(32 * parts.length);
  for (const [i, part] of parts.entries()) digests.set(await sha256(part), 32 * i);
  return Array.from(await sha256(digests), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function sha256(bytes: Uint8Array | Float32Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
}
