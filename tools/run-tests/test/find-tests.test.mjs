import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "tape";
import { findTests } from "../src/find-tests.mjs";
import { withFolder } from "./helpers.mjs";

test("findTests goes by the sources, not by what an older build left", (t) => {
  withFolder((folder) => {
    for (const name of ["test/deep", "test/fixtures", "dist/test"]) {
      mkdirSync(join(folder, name), { recursive: true });
    }
    const files = [
      "test/b.test.ts",
      "test/deep/a.test.mjs",
      "test/helpers.ts",
      "test/fixtures/x.test.mjs",
      "dist/test/b.test.js",
      "dist/test/deleted.test.js",
    ];
    for (const name of files) writeFileSync(join(folder, name), "");
    t.deepEqual(findTests(folder), [
      { source: "test/b.test.ts", file: "dist/test/b.test.js", exists: true },
      { source: "test/deep/a.test.mjs", file: "test/deep/a.test.mjs", exists: true },
    ]);
  });
  t.end();
});

test("findTests finds nothing in a package without tests", (t) => {
  withFolder((folder) => t.deepEqual(findTests(folder), []));
  t.end();
});
