import test from "tape";
import { findProblems } from "../src/rules.mjs";

/**
 * @param {string} name
 * @param {Record<string, any>} manifest
 * @param {Record<string, (string | { specifier: string, typeOnly: boolean })[]>} [files]
 */
function member(name, manifest, files = {}) {
  return {
    folder: `packages/${name}`,
    manifest: { name: `@fewnorm/${name}`, fewnorm: { layer: 0 }, ...manifest },
    files: Object.entries(files).map(([path, imports]) => ({
      path,
      imports: imports.map((one) =>
        typeof one === "string" ? { specifier: one, typeOnly: false } : one,
      ),
    })),
    binsOf: (/** @type {string} */ dependency) => (dependency === "assemblyscript" ? ["asc"] : []),
  };
}

const tensor = member("tensor", {});

test("a sound workspace has no problems", (t) => {
  const backend = member(
    "backend",
    {
      fewnorm: { layer: 1 },
      dependencies: { "@fewnorm/tensor": "*", "@types/ndarray": "1" },
      devDependencies: { tape: "5", assemblyscript: "0" },
      scripts: { build: "tsc && asc assembly/index.ts" },
    },
    {
      "src/index.ts": [
        "./a.ts",
        "node:fs",
        "@fewnorm/tensor",
        { specifier: "ndarray", typeOnly: true },
      ],
      "test/a.test.ts": ["tape", "@fewnorm/backend", "../src/a.ts"],
    },
  );
  t.deepEqual(findProblems([tensor, backend]), []);
  t.end();
});

test("a dependency must have a strictly lower layer", (t) => {
  const files = { "src/index.ts": ["@fewnorm/tensor"] };
  const same = member("same", { dependencies: { "@fewnorm/tensor": "*" } }, files);
  const peer = member("peer", { peerDependencies: { "@fewnorm/tensor": "*" } }, files);
  const problems = findProblems([tensor, same, peer]);
  t.equal(problems.length, 2);
  t.match(problems[0] ?? "", /packages\/same: layer 0 depends on @fewnorm\/tensor of layer 0/);
  t.match(problems[1] ?? "", /packages\/peer/);
  t.end();
});

test("a package states its layer, and depends on packages only", (t) => {
  t.match(findProblems([member("none", { fewnorm: {} })])[0] ?? "", /states no layer/);
  const app = {
    ...member("app", { name: "@fewnorm/app", fewnorm: undefined }),
    folder: "apps/app",
  };
  t.deepEqual(findProblems([app]), [], "an app needs none");
  const user = member(
    "user",
    { dependencies: { "@fewnorm/app": "*" } },
    { "src/a.ts": ["@fewnorm/app"] },
  );
  t.match(findProblems([app, user])[0] ?? "", /not in packages\//);
  t.end();
});

test("what is published depends on nothing that is private", (t) => {
  const hidden = member("hidden", { private: true });
  const user = { fewnorm: { layer: 1 }, dependencies: { "@fewnorm/hidden": "*" } };
  const files = { "src/a.ts": ["@fewnorm/hidden"] };
  t.deepEqual(findProblems([hidden, member("user", { ...user, private: true }, files)]), []);
  const problems = findProblems([hidden, member("user", user, files)]);
  t.equal(problems.length, 1);
  t.match(problems[0] ?? "", /packages\/user: is published .*@fewnorm\/hidden, which is private/);
  t.end();
});

test("an app may depend on any layer", (t) => {
  const app = {
    ...member(
      "app",
      { dependencies: { "@fewnorm/tensor": "*" } },
      { "src/a.ts": ["@fewnorm/tensor"] },
    ),
    folder: "apps/app",
  };
  t.deepEqual(findProblems([tensor, app]), []);
  t.end();
});

test("what src imports is a dependency, what tests import at least a devDependency", (t) => {
  const one = member(
    "one",
    { devDependencies: { tape: "5", ndarray: "1" } },
    { "src/a.ts": ["ndarray/deep"], "test/a.test.ts": ["tape", "fast-check"] },
  );
  const problems = findProblems([one]);
  t.equal(problems.length, 2);
  t.match(problems[0] ?? "", /one\/src\/a\.ts: imports "ndarray\/deep".*add it to dependencies$/);
  t.match(problems[1] ?? "", /one\/test\/a\.test\.ts: imports "fast-check"/);
  t.end();
});

test("a value import is not covered by a package of types", (t) => {
  const one = member(
    "one",
    { dependencies: { "@types/ndarray": "1" } },
    { "src/a.ts": ["ndarray"] },
  );
  t.match(findProblems([one]).join("\n"), /imports "ndarray"/);
  t.end();
});

test("what is declared is used", (t) => {
  const one = member(
    "one",
    { dependencies: { yaml: "2" }, devDependencies: { tape: "5" } },
    { "test/a.test.ts": ["yaml"] },
  );
  const problems = findProblems([one]);
  t.equal(problems.length, 2);
  t.match(problems[0] ?? "", /nothing in src imports "yaml"/);
  t.match(problems[1] ?? "", /nothing uses "tape"/);
  t.end();
});

test("a relative import stays in the package, and src does not import itself by name", (t) => {
  const one = member(
    "one",
    {},
    { "src/deep/a.ts": ["../b.ts", "../../../two/src/b.ts", "@fewnorm/one"] },
  );
  const problems = findProblems([one]);
  t.equal(problems.length, 2);
  t.match(problems[0] ?? "", /"\.\.\/\.\.\/\.\.\/two\/src\/b\.ts", which lies outside/);
  t.match(problems[1] ?? "", /the package itself/);
  t.end();
});

test("what is published imports nothing that is not", (t) => {
  const one = member(
    "one",
    {},
    { "src/a.ts": ["../test/helper.ts"], "test/b.ts": ["./helper.ts"] },
  );
  const [problem, ...others] = findProblems([one]);
  t.match(
    problem ?? "",
    /src\/a\.ts: imports "\.\.\/test\/helper\.ts", which is not published; move it/,
  );
  t.deepEqual(others, []);
  t.end();
});

test("devDependencies do not close a cycle", (t) => {
  const low = member(
    "low",
    { devDependencies: { "@fewnorm/high": "*" } },
    { "test/a.test.ts": ["@fewnorm/high"] },
  );
  const high = member(
    "high",
    { fewnorm: { layer: 1 }, dependencies: { "@fewnorm/low": "*" } },
    { "src/a.ts": ["@fewnorm/low"] },
  );
  t.deepEqual(findProblems([low, high]), [
    "@fewnorm/low → @fewnorm/high → @fewnorm/low: a cycle; move the test that needs it to the higher package",
  ]);
  t.end();
});

test("a README names what its code needs, and links to what is published with it", (t) => {
  const readme = { uses: ["tape", "ndarray"], installs: ["ndarray"], links: ["src/a.ts", "../b"] };
  const published = { ...member("one", { files: ["dist/src", "src"] }), readme };
  t.deepEqual(findProblems([published]), [
    'packages/one/README.md: its code imports "tape"; add it to the line "npm install …"',
    "packages/one/README.md: links to ../b, which is not published with it; name it in words",
  ]);
  t.deepEqual(findProblems([{ ...member("two", { private: true }), readme }]), []);
  t.end();
});
