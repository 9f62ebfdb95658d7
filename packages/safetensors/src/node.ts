// What needs Node's file system; everything else of this package runs in browsers, too.
export * from "./file.ts";
export { besideOf, isAlive, makeFolder, replaceFile } from "./replace-file.ts";
