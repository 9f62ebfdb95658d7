// What needs Node's file system; everything else of this package runs in browsers, too.
export * from "./checkpoint-files.ts";
