import test from "tape";
import { importsOf, packageOf } from "../src/imports.mjs";

test("importsOf sees every way to name a module", (t) => {
  const text = `
    import type { A } from "a";
    import b, { type B } from "b/deep";
    import "c";
    export * from "d";
    export type { E } from "e";
    const f = await import("f");
    type G = import("g").G;
    const h = require("h");
    const i = import.meta.resolve("i");
    // import "comment";
    const text = 'import "text"';
    export const computed = import(text);
  `;
  t.deepEqual(importsOf("x.ts", text), [
    { specifier: "a", typeOnly: true },
    { specifier: "b/deep", typeOnly: false },
    { specifier: "c", typeOnly: false },
    { specifier: "d", typeOnly: false },
    { specifier: "e", typeOnly: true },
    { specifier: "f", typeOnly: false },
    { specifier: "g", typeOnly: true },
    { specifier: "h", typeOnly: false },
    { specifier: "i", typeOnly: false },
  ]);
  t.end();
});

test("importsOf names the file that cannot be parsed", (t) => {
  t.throws(() => importsOf("broken.ts", "import from from;"), /broken\.ts/);
  t.end();
});

test("packageOf strips paths, not scopes", (t) => {
  t.equal(packageOf("@fewnorm/tensor/deep"), "@fewnorm/tensor");
  t.equal(packageOf("tape/lib/results"), "tape");
  t.end();
});
