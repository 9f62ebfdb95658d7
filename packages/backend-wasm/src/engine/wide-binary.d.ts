// The engine for vectors of 8 floats, as binaries.d.ts says of the others; undefined where a bundler for browsers has put
// wide-binary-browser.ts in its place.

export declare const wide: string | undefined;
