// Export of a model's evaluation as an ONNX file.
export * from "./export-onnx.ts";
