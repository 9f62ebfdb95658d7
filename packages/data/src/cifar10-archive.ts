// Reading the wanted files out of a gzipped tar archive, as a stream.
import { cannotRead, damagedGzip, isGzip, messageOf, readStart } from "./files.ts";
import { nodeFs, nodeStream, nodeZlib } from "./node.ts";

/** Which files to take, and a check of each one's size that throws before it is read. */
export interface Wanted {
  readonly names: readonly string[];
  check(name: string, size: number, where: string): void;
}

/** The wanted files of a `.tar.gz`, by name without folder. The archive is read once, to its end. */
export async function readCifar10Archive(
  who: string,
  path: string,
  wanted: Wanted,
): Promise<Map<string, Uint8Array>> {
  const start = await readStart(who, path, 2);
  if (start.length === 0) throw new Error(`${who}: ${path} is empty; download it again`);
  if (!isGzip(start)) {
    throw new Error(
      `${who}: ${path} is not a gzip file; give CIFAR-10's folder or its binary version's .tar.gz`,
    );
  }
  const files = new Map<string, Uint8Array>();
  const others: string[] = [];
  for await (const { name, size, body } of openArchive(who, path)) {
    const base = name.split("/").at(-1) ?? name;
    if (!wanted.names.includes(base)) {
      others.push(base);
      // Not `body.cancel()`: in modern-tar 0.8.6 that may hit the next entry, if this one is read already.
      await collect(who, path, body, false);
      continue;
    }
    if (files.has(base)) {
      throw new Error(`${who}: ${path} holds ${base} twice; leave out the one that is not meant`);
    }
    wanted.check(base, size, path);
    files.set(base, await collect(who, path, body, true));
  }
  if (others.includes("data_batch_1")) {
    throw new Error(
      `${who}: ${path} is CIFAR-10's Python version; give the binary version, cifar-10-binary.tar.gz`,
    );
  }
  return files;
}

interface Entry {
  name: string;
  size: number;
  body: ReadableStream<Uint8Array>;
}

async function* openArchive(who: string, path: string): AsyncGenerator<Entry> {
  const [fs, zlib, stream, tar] = await Promise.all([
    nodeFs(),
    nodeZlib(),
    nodeStream(),
    import("modern-tar"),
  ]);
  const source = fs.createReadStream(path);
  const unzip = zlib.createGunzip();
  let failure: Error | undefined;
  source.on("error", (error) => {
    failure ??= cannotRead(who, path, error);
  });
  unzip.on("error", (error) => {
    failure ??= damagedGzip(who, path, error);
  });
  stream.pipeline(source, unzip, () => {});
  const bytes = stream.Readable.toWeb(unzip) as ReadableStream<Uint8Array>;
  const reader = bytes.pipeThrough(tar.createTarDecoder({ strict: true })).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      yield { name: value.header.name, size: value.header.size, body: value.body };
    }
  } catch (error) {
    throw failure ?? notTar(who, path, error);
  } finally {
    await reader.cancel().catch(() => {});
    source.destroy();
    unzip.destroy();
  }
}

/** Reads an entry to its end, and keeps what was read or not. */
async function collect(
  who: string,
  path: string,
  body: ReadableStream<Uint8Array>,
  keep: boolean,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  try {
    for await (const part of body) if (keep) parts.push(part);
  } catch (error) {
    throw damagedGzip(who, path, error);
  }
  return Buffer.concat(parts);
}

function notTar(who: string, path: string, error: unknown): Error {
  return new Error(
    `${who}: ${path} is not a whole tar archive (${messageOf(error)}); download it again`,
    { cause: error },
  );
}
