// Shapes, dtypes, random keys, the graph of a step, its primitives and their gradients.
export {};
