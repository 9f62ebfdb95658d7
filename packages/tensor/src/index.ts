// The tensor core: shapes, random keys, ndarrays, the graph with its primitives, and grad.
export * from "./cost.ts";
export { type GradOptions, grad } from "./grad.ts";
export * from "./graph.ts";
export * from "./host.ts";
export * from "./key.ts";
export * from "./ops.ts";
export * from "./options.ts";
export * from "./primitives.ts";
export * from "./shape.ts";
export { checkTensor } from "./shape-checks.ts";
