// Reading files so that whatever goes wrong becomes one clear line.
import { nodeFiles, nodeZlib } from "./node.ts";

/** What `path` is, and its size in bytes. */
export async function inspect(
  who: string,
  path: string,
): Promise<{ kind: "file" | "folder" | "missing"; size: number }> {
  const files = await nodeFiles();
  try {
    const found = await files.stat(path);
    // A pipe would be waited for without end.
    if (!found.isDirectory() && !found.isFile())
      throw new Error("it is neither a file nor a folder");
    return { kind: found.isDirectory() ? "folder" : "file", size: found.size };
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === "ENOENT" || code === "ENOTDIR") return { kind: "missing", size: 0 };
    throw cannotRead(who, path, error);
  }
}

/** All bytes of a file. */
export async function readBytes(who: string, path: string | URL): Promise<Uint8Array> {
  const files = await nodeFiles();
  try {
    return await files.readFile(path);
  } catch (error) {
    throw cannotRead(who, path, error);
  }
}

/** The first `count` bytes of a file, fewer if it is shorter. */
export async function readStart(who: string, path: string, count: number): Promise<Uint8Array> {
  const files = await nodeFiles();
  try {
    const file = await files.open(path);
    try {
      const { buffer, bytesRead } = await file.read(new Uint8Array(count), 0, count, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw cannotRead(who, path, error);
  }
}

/** Names of what a folder holds, sorted. */
export async function listFolder(who: string, path: string): Promise<string[]> {
  const files = await nodeFiles();
  try {
    return (await files.readdir(path)).sort();
  } catch (error) {
    throw cannotRead(who, path, error);
  }
}

/** Whether bytes begin as gzip does. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** Unpacks gzip. `path` names the bytes in errors. */
export async function gunzip(who: string, path: string, bytes: Uint8Array): Promise<Uint8Array> {
  const { gunzip: unpack } = await nodeZlib();
  return new Promise((resolve, reject) => {
    unpack(bytes, (error, result) => {
      if (error) reject(damagedGzip(who, path, error));
      else resolve(result);
    });
  });
}

/** The error for gzip data that is cut off or damaged. */
export function damagedGzip(who: string, path: string, error: unknown): Error {
  return new Error(
    `${who}: ${path} is damaged or cut off (${messageOf(error)}); download it again`,
    { cause: error },
  );
}

/** The error for a file that is there but cannot be read. */
export function cannotRead(who: string, path: string | URL, error: unknown): Error {
  return new Error(
    `${who}: cannot read ${path} (${messageOf(error)}); check the path and its permissions`,
    { cause: error },
  );
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
