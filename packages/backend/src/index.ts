// The contract of a backend and the conformance suite that every backend passes.
export {};
