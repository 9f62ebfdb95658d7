// The backend contract and the conformance suite that every backend passes.
export * from "./backend.ts";
export * from "./checks.ts";
export {
  type BackendFactory,
  type ConformanceOptions,
  conformance,
  type TestFunction,
} from "./conformance.ts";
export { computeIntegers } from "./integers.ts";
export { labelCheck } from "./labels.ts";
export { createLifetime, type Lifetime } from "./lifetime.ts";
export { copyOf, createQueue, type Queue } from "./queue.ts";
export { type SizeCheck, sizeCheck } from "./size-check.ts";
