// The backend contract and the conformance suite that every backend passes.
export * from "./backend.ts";
export * from "./checks.ts";
