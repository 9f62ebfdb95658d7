// The worker behind `createPrefetch`: makes the batches that it is asked for, in order.
import { type Batches, createBatches } from "./batches.ts";
import { parentPort } from "./worker-port.ts";

// No await at the top: bundlers may emit a classic script.
void parentPort().then((port) => {
  let batches: Batches | undefined;

  port.onMessage((request) => {
    if (request.type === "start") {
      try {
        batches = createBatches(request.split, request.options);
        port.send({ type: "ready" });
      } catch (error) {
        port.send({ type: "failed", error: error as Error });
      }
      return;
    }
    const { id, epoch, step, images, labels } = request;
    const transfer = [images.buffer, labels.buffer];
    try {
      if (!batches) throw new Error("prefetch-worker: asked for a batch before the data");
      const batch = batches.batch(epoch, step, { images, labels });
      port.send({ type: "filled", id, batch }, transfer);
    } catch (error) {
      const batch = { images, labels, count: 0 };
      port.send({ type: "filled", id, batch, error: error as Error }, transfer);
    }
  });
});
