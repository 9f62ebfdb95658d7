// Batches prepared ahead of the step that needs them, in a worker.
import { checkOptions } from "@fewnorm/tensor";
import {
  type Batch,
  type Batches,
  type BatchesOptions,
  type BatchSource,
  batchesOptions,
  checkPosition,
  createBatches,
} from "./batches.ts";
import type { Split } from "./dataset.ts";
import { messageOf } from "./files.ts";
import { createPrefetchQueue } from "./prefetch-queue.ts";
import { startWorker, type WorkerPort } from "./worker-port.ts";

/** Options of {@link createPrefetch}. */
export interface PrefetchOptions extends BatchesOptions {
  /** How many batches are prepared ahead; 2 by default. Memory for one more is taken. */
  readonly depth?: number;
  /** `false` to make batches directly, when asked for. */
  readonly worker?: boolean;
  /** Where the worker's script is (`prefetch-worker.js` of this package), if a bundler has moved it. */
  readonly workerUrl?: URL;
}

/** Batches prepared ahead. */
export interface Prefetch extends BatchSource {
  /** "worker" when batches are prepared ahead, "direct" when they are made as they are asked for. */
  readonly mode: "worker" | "direct";
  /** Why the mode is "direct". */
  readonly reason: string | undefined;
  /**
   * The batch of a step, the same as `createBatches` gives. Ask for steps in order, going on to the next epoch
   * after the last, to find them prepared; any other order works, and is as slow as making them directly.
   * A batch is valid until the next call; then its arrays are taken back, and have length 0. One call at a
   * time.
   * @throws RangeError for an epoch or step that there is not; Error if the worker died, or after `dispose`
   */
  batch(epoch: number, step: number): Promise<Batch>;
  /** Ends the worker. A call still waiting fails. */
  dispose(): Promise<void>;
}

/**
 * As `createBatches`, with a worker that prepares batches ahead. Where there are no workers, or the worker
 * does not start, batches are made directly, and `mode` and `reason` say so. The images are shared with the
 * worker if they lie in shared memory (those of the loaders do), else copied once.
 *
 * The worker keeps the process alive only while a batch is awaited, so a consumer that stops early, or
 * fails, does not have to dispose for the process to end.
 *
 * @throws RangeError as `createBatches`, and for a depth that is not a positive whole number.
 */
export async function createPrefetch(split: Split, options: PrefetchOptions): Promise<Prefetch> {
  checkOptions("createPrefetch", options, {
    ...batchesOptions,
    depth: "number",
    worker: "boolean",
    workerUrl: "any",
  });
  const { depth = 2, worker = true, workerUrl, ...rest } = options;
  if (!Number.isInteger(depth) || depth < 1) {
    throw new RangeError(`createPrefetch: depth is ${depth}; give a positive whole number`);
  }
  // Also where a worker does the work: it checks everything, and knows the sizes.
  const direct = createBatches(split, rest);
  if (!worker) return directly(direct, "worker: false was asked for");
  let port: WorkerPort | undefined;
  try {
    port = await startWorker(workerUrl);
    await handOver(port, split, rest);
  } catch (error) {
    await port?.end();
    return directly(direct, messageOf(error));
  }
  const shuffled = rest.key !== undefined;
  return throughWorker(port, direct, depth, shuffled);
}

/** Gives the worker its data, and waits until it has it. */
function handOver(port: WorkerPort, split: Split, options: BatchesOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    port.onFailure(reject);
    port.onMessage((reply) => {
      if (reply.type === "ready") resolve();
      else if (reply.type === "failed") reject(reply.error);
    });
    const { dataset, ...others } = options;
    const { shape, mean, deviation } = dataset;
    port.send({
      type: "start",
      // Named one by one: whatever else the objects hold must not be copied along.
      split: { count: split.count, images: split.images, labels: split.labels },
      options: { ...others, dataset: { shape, mean, deviation } },
    });
  });
}

function directly(direct: Batches, reason: string): Prefetch {
  let disposed = false;
  const { batch: _, ...sizes } = direct;
  return {
    ...sizes,
    mode: "direct",
    reason,
    async batch(epoch, step) {
      if (disposed) throw disposedError();
      return direct.batch(epoch, step);
    },
    async dispose() {
      disposed = true;
    },
  };
}

function throughWorker(
  port: WorkerPort,
  direct: Batches,
  depth: number,
  shuffled: boolean,
): Prefetch {
  const { batch: _, ...sizes } = direct;
  const queue = createPrefetchQueue(port, sizes, depth, shuffled);
  let disposed = false;
  let calls = 0;
  port.onFailure((error) => {
    if (!disposed) {
      queue.fail(
        new Error(`batch: the worker that prepares batches failed: ${error.message}`, {
          cause: error,
        }),
      );
    }
  });
  port.keepAlive(false);
  return {
    ...sizes,
    mode: "worker",
    reason: undefined,
    async batch(epoch, step) {
      if (disposed) throw disposedError();
      checkPosition("batch", epoch, step, sizes.stepsPerEpoch);
      calls++;
      port.keepAlive(true);
      try {
        return await queue.take(epoch, step);
      } finally {
        calls--;
        if (calls === 0) port.keepAlive(false);
      }
    },
    async dispose() {
      if (disposed) return;
      disposed = true;
      queue.fail(disposedError());
      await port.end();
    },
  };
}

function disposedError(): Error {
  return new Error("batch: this prefetch is disposed; create another");
}
