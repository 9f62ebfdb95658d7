// What needs Node's file system; everything else of this package runs in browsers, too.
export * from "./checkpoint-files.ts";
export { makeFolder, replaceFile } from "./replace-file.ts";
