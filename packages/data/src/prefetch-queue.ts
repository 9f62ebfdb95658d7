// The consumer's side of prefetching: which batches are on order, ready, or with the consumer.
import type { Batch, BatchBuffers, Batches } from "./batches.ts";
import type { WorkerPort } from "./worker-port.ts";

export interface PrefetchQueue {
  /** The batch of a step, from those prepared or newly ordered. */
  take(epoch: number, step: number): Promise<Batch>;
  /** Fails the call that waits and all later ones. */
  fail(error: Error): void;
}

/** A batch on order, and what came of it. */
interface Order {
  readonly id: number;
  readonly epoch: number;
  readonly step: number;
  outcome?: { readonly batch: Batch; readonly error: Error | undefined };
}

/**
 * `depth` + 1 pairs of buffers go round: free → to the worker → ready → with the consumer → free. All orders are
 * made here and the worker is without memory of its own, so a jump to another step only needs the orders
 * before it to be forgotten.
 *
 * @param shuffled whether epochs differ; if not, the start of an epoch serves as the start of any.
 */
export function createPrefetchQueue(
  port: WorkerPort,
  { shape, batchSize, stepsPerEpoch }: Omit<Batches, "batch">,
  depth: number,
  shuffled: boolean,
): PrefetchQueue {
  const size = shape.reduce((product, extent) => product * extent, 1);
  const free: BatchBuffers[] = Array.from({ length: depth + 1 }, () => ({
    images: new Float32Array(size),
    labels: new Int32Array(batchSize),
  }));
  let nextId = 0;
  let next = { epoch: 0, step: 0 };
  let orders: Order[] = [];
  let held: Batch | undefined;
  let waiting: { resolve(batch: Batch): void; reject(error: Error): void } | undefined;
  let failure: Error | undefined;

  /** Orders as many batches as there are free buffers. */
  function order(): void {
    for (let buffers = free.pop(); buffers !== undefined; buffers = free.pop()) {
      const { epoch, step } = next;
      const id = nextId++;
      orders.push({ id, epoch, step });
      port.send({ type: "fill", id, epoch, step, ...buffers }, [
        buffers.images.buffer,
        buffers.labels.buffer,
      ]);
      next =
        step + 1 < stepsPerEpoch
          ? { epoch, step: step + 1 }
          : { epoch: shuffled ? epoch + 1 : epoch, step: 0 };
    }
  }

  function deliver(): void {
    const outcome = orders[0]?.outcome;
    if (waiting === undefined || outcome === undefined) return;
    const { resolve, reject } = waiting;
    waiting = undefined;
    orders.shift();
    if (outcome.error) {
      free.push(outcome.batch);
      reject(outcome.error);
    } else {
      held = outcome.batch;
      resolve(outcome.batch);
    }
  }

  port.onMessage((reply) => {
    if (reply.type !== "filled") return;
    const found = orders.find(({ id }) => id === reply.id);
    if (found) found.outcome = { batch: reply.batch, error: reply.error };
    else {
      // Forgotten meanwhile.
      free.push(reply.batch);
      order();
    }
    deliver();
  });

  return {
    take(wanted, step) {
      const epoch = shuffled ? wanted : 0;
      if (failure) return Promise.reject(failure);
      if (waiting) {
        return Promise.reject(
          new Error("batch: called while an earlier call still waits; await one batch at a time"),
        );
      }
      if (held) free.push(held);
      held = undefined;
      const head = orders[0] ?? next;
      if (head.epoch !== epoch || head.step !== step) {
        for (const { outcome } of orders) if (outcome) free.push(outcome.batch);
        orders = [];
        next = { epoch, step };
      }
      order();
      return new Promise((resolve, reject) => {
        waiting = { resolve, reject };
        deliver();
      });
    },
    fail(error) {
      failure ??= error;
      waiting?.reject(failure);
      waiting = undefined;
    },
  };
}
