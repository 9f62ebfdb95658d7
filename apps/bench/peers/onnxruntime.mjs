// onnxruntime-node: inference, with the optimizations that it does by itself.

import { resnetModel } from "./onnx-model.mjs";
import { firstImages, loadPackage, readJob, serve } from "./protocol.mjs";

const job = readJob();
const { module: ort, version } = await loadPackage(job, "onnxruntime-node");

await serve({
  name: `onnxruntime-node ${version}`,
  works: job.norm === "bn" ? { inference: { settings: ["all optimizations"] } } : {},
  async prepare({ batch }) {
    const { shape, values } = firstImages(job, batch);
    const session = await ort.InferenceSession.create(resnetModel(job.tensors, shape), {
      executionProviders: ["cpu"],
      graphOptimizationLevel: "all",
      intraOpNumThreads: job.threads,
      interOpNumThreads: 1,
    });
    const infer = async () => {
      const { logits } = await session.run({ images: new ort.Tensor("float32", values, shape) });
      return logits.data;
    };
    return { step: infer, logits: infer };
  },
});
