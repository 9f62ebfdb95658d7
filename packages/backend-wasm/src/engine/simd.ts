// A file of its own, so that the package's types can be read where no type WebAssembly is known, as in Node 20's.

/**
 * Which instructions the engine uses: "plain" ones on vectors of 4 floats, "relaxed" ones, which multiply and add in
 * one, or "wide" ones, the same on vectors of 8.
 */
export type Simd = "plain" | "relaxed" | "wide";
