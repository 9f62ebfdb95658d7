// What needs Node's file system; everything else of this package runs in browsers, too.

export { besideOf, isAlive, makeFolder, replaceFile } from "@fewnorm/safetensors/node";
export * from "./checkpoint-files.ts";
export * from "./state-dict-files.ts";
