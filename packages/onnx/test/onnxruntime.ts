// onnxruntime as an independent reader, on one thread; and what an ONNX file holds, as it sees it.

import * as ort from "onnxruntime-web";

ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";

/** Runs the file on images [N, C, H, W] and returns the logits with their shape. */
export async function runOnnx(
  file: Uint8Array,
  images: Float32Array,
  shape: readonly number[],
  optimize = true,
): Promise<{ logits: Float32Array; shape: readonly number[] }> {
  const session = await ort.InferenceSession.create(file, {
    executionProviders: ["wasm"],
    graphOptimizationLevel: optimize ? "all" : "disabled",
    logSeverityLevel: 3,
  });
  try {
    const { logits } = await session.run({ images: new ort.Tensor("float32", images, shape) });
    if (logits === undefined) throw new Error("there is no output called logits");
    return { logits: Float32Array.from(logits.data as Float32Array), shape: logits.dims };
  } finally {
    await session.release();
  }
}
