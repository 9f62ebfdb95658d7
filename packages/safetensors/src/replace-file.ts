// Files that are replaced at once, and the folders that they are in.

import { link, mkdir, open, readdir, readlink, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";

/**
 * Replaces a file at once: a reader, or the next start after a crash, finds the old or the new content.
 * Pieces are written one after another. Of a link it is the target that is replaced.
 * @param keep where to keep the old content
 * @throws Error for a folder or a device.
 */
export async function replaceFile(
  name: string,
  content: Uint8Array | string | Iterable<Uint8Array>,
  keep?: string,
): Promise<void> {
  const place = located.then(() => targetOf(name));
  located = place.catch(() => {});
  const path = await place;
  const before = writers.get(path) ?? Promise.resolve();
  const own = before.then(() => replaceNow(path, content, keep));
  const done = own.catch(() => {});
  writers.set(path, done);
  await own.finally(() => {
    if (writers.get(path) === done) writers.delete(path);
  });
}

/** The last file that was looked for: one after another, so that they are written in the order of the calls. */
let located: Promise<unknown> = Promise.resolve();

/** Who writes a file last of those in this process: one after another, or they would write into each other's. */
const writers = new Map<string, Promise<void>>();

async function replaceNow(
  path: string,
  content: Uint8Array | string | Iterable<Uint8Array>,
  keep?: string,
): Promise<void> {
  await makeFolder(dirname(path));
  await removeLeftBehind(path);
  const beside = besideOf(path);
  try {
    const file = await open(beside, "w");
    try {
      // Each write goes on where the one before it ended.
      for (const piece of isWhole(content) ? [content] : content) await file.writeFile(piece);
      // The content must be on the disk before the name points to it.
      await file.sync();
    } finally {
      await file.close();
    }
    if (keep !== undefined) await keepOld(path, keep);
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true }).catch(() => {});
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Where this process writes what then takes the name of a file; each process has a place of its own. */
export const besideOf = (path: string): string => `${path}.${process.pid}.writing`;

/** Removes what processes left beside a file that ended while they wrote. */
async function removeLeftBehind(path: string): Promise<void> {
  const folder = dirname(path);
  const begin = `${basename(path)}.`;
  for (const name of await readdir(folder).catch(() => [])) {
    const [, pid] =
      /^(\d+)\.writing$/.exec(name.startsWith(begin) ? name.slice(begin.length) : "") ?? [];
    if (pid === undefined || isAlive(Number(pid))) continue;
    await rm(join(folder, name), { force: true }).catch(() => {});
  }
}

/** Whether there is a process of this number on this machine. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // Of another user.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Where the file itself lies, or will lie. A device would be lost if a file took its name. */
async function targetOf(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) {
    const target = await readlink(path).catch(() => undefined);
    return target === undefined ? path : resolve(dirname(path), target);
  }
  if (!found.isFile()) {
    throw new Error(`${path} is ${found.isDirectory() ? "a folder" : "no regular file"}`);
  }
  return realpath(path);
}

const isWhole = (content: unknown): content is Uint8Array | string =>
  typeof content === "string" || content instanceof Uint8Array;

/** Gives the old content a second name, so that there is no moment without a file under the first. */
async function keepOld(path: string, keep: string): Promise<void> {
  const beside = besideOf(keep);
  await removeLeftBehind(keep);
  try {
    await rm(beside, { force: true });
    await link(path, beside);
    await rename(beside, keep);
  } catch {
    // Nothing to keep yet, or a file system without links: only the newest is kept then.
  }
}

/** Makes a rename outlast a power cut, where folders can be opened (not on Windows). */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder).catch(() => undefined);
  if (handle === undefined) return;
  await handle.sync().catch(() => {});
  await handle.close();
}

/**
 * Makes a folder and those above it that are missing, and returns the ones that it made, outermost first.
 * Node's recursive mkdir does not end where a folder can be entered but not written to, as in /proc.
 */
export async function makeFolder(folder: string): Promise<string[]> {
  const isFolder = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (isFolder) return [];
  const above = dirname(folder);
  const made = above === folder ? [] : await makeFolder(above);
  try {
    await mkdir(folder);
  } catch (error) {
    // Somebody else may have been faster.
    if ((error as NodeJS.ErrnoException).code === "EEXIST" && (await stat(folder)).isDirectory()) {
      return made;
    }
    throw error;
  }
  return [...made, folder];
}
