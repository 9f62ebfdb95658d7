// The slow and obvious backend, in float32 or float64: the oracle.
export { createReferenceBackend, type ReferenceBackendOptions } from "./reference-backend.ts";
