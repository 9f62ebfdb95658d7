// What convolutional networks are made of, and the scope and model contracts.
export * from "./initializers.ts";
export * from "./layers.ts";
export * from "./model.ts";
export * from "./pooling.ts";
export * from "./scope.ts";
