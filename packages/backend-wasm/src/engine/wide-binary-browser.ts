// Stands in for the engine for vectors of 8 floats in browsers, none of which can run it.

export const wide = undefined;
