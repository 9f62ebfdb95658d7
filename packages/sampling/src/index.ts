// The contract of a sampling strategy and its conformance suite.
export {};
