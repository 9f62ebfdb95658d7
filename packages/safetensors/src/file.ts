// Safetensors as files on a disk.

import { type FileHandle, open, stat } from "node:fs/promises";
import { type ByteSource, type FloatTensor, openSafetensors, type Safetensors } from "./reader.ts";
import { replaceFile } from "./replace-file.ts";
import { type EncodeOptions, safetensorsPieces } from "./writer.ts";

/** An open file; `dispose` closes it. */
export interface SafetensorsFile extends Safetensors {
  dispose(): Promise<void>;
}

/**
 * Opens the file at `path`. Tensors are read when they are asked for, so memory holds only what is wanted.
 * @throws Error, in one line, when there is no such file or it is damaged, as `openSafetensors`.
 */
export async function openSafetensorsFile(path: string): Promise<SafetensorsFile> {
  const handle = await openFile(path);
  try {
    const { size } = await handle.stat();
    const file = await openSafetensors(fileSource(handle, size, path), { where: path });
    return { ...file, dispose: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Options of {@link writeSafetensors}. */
export interface WriteOptions extends EncodeOptions {
  /** Where to keep the file that is replaced, if there is one. */
  readonly keep?: string;
}

/**
 * Writes `tensors` to `path`, beside and then renamed: whoever opens it finds the old file or the new one,
 * whole. Folders that are missing are made.
 * @throws RangeError as `encodeSafetensors`; Error when it cannot be written, and the old file is whole then.
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, FloatTensor>,
  options: WriteOptions = {},
): Promise<void> {
  const { keep, ...rest } = options;
  await replaceFile(path, safetensorsPieces(tensors, rest), keep);
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    // Looked at first: to open a pipe would wait for somebody to write to it.
    const found = await stat(path);
    if (!found.isFile()) throw new Error(`it is ${found.isDirectory() ? "a folder" : "no file"}`);
    return await open(path);
  } catch (error) {
    throw new Error(
      `openSafetensors: cannot read ${path} (${(error as Error).message}); give a file that can be read`,
      { cause: error },
    );
  }
}

function fileSource(handle: FileHandle, size: number, path: string): ByteSource {
  const mostAtOnce = 2 ** 26;
  return {
    size,
    async readInto(target, position) {
      for (let at = 0; at < target.length; ) {
        const wanted = Math.min(target.length - at, mostAtOnce);
        const { bytesRead } = await handle.read(target, at, wanted, position + at);
        if (bytesRead === 0) {
          throw new Error(
            `openSafetensors: ${path} became shorter while it was read; read it again`,
          );
        }
        at += bytesRead;
      }
    },
  };
}
