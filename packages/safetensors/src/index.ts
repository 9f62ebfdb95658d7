// Safetensors files: tensors by name, read one by one and written without a copy.
export { dtypeNames, type TensorDType, type TensorValues } from "./dtypes.ts";
export type { Header, TensorInfo } from "./header.ts";
export * from "./reader.ts";
export { type EncodeOptions, encodeSafetensors, safetensorsPieces } from "./writer.ts";
