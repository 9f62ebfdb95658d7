// The checks that backends share, and their words.

import { checkFeeds, checkSpecs, checkStates } from "@fewnorm/backend";
import { add, rows, trace } from "@fewnorm/tensor";
import test from "tape";

const graph = trace((builder) => {
  const [x, w] = [builder.input("x", [2, 3]), builder.state("w", [2, 3])];
  const start = builder.input("start", [1], "int32");
  builder.output("y", rows(x, start, { range: { base: 0, modulo: 2, offset: 0, count: 1 } }));
  builder.update("w", add(w, x));
  builder.state("v", [3]);
  builder.update("v", builder.constant(0, [3]));
});

test("checkSpecs: a name may not occur twice", (t) => {
  t.doesNotThrow(() => checkSpecs([]));
  const [w, v] = [
    { name: "w", shape: [2] },
    { name: "v", shape: [2] },
  ];
  t.doesNotThrow(() => checkSpecs([w, v]));
  t.throws(() => checkSpecs([w, v, w]), /createState: "w" occurs twice; names must differ/);
  t.end();
});

test("checkSpecs and checkStates: what is no array, no shape, no graph", (t) => {
  const specs = (given: unknown) => () => checkSpecs(given as never);
  t.throws(specs(undefined), /^TypeError: createState: specs is undefined; give an array, such as/);
  t.throws(specs({ w: [2] }), /^TypeError: createState: specs is another object; give an array/);
  t.throws(specs([{ name: "w", shape: 3 }]), /^TypeError: createState: "w": shape is 3; give an/);
  for (const none of [undefined, Promise.resolve(graph), () => graph]) {
    t.throws(
      () => checkStates(none as never, []),
      /^TypeError: compile: graph is .*; give what trace/,
    );
  }
  t.end();
});

test("checkStates: states that are read, and states that are only updated", (t) => {
  const [w, v] = [
    { name: "w", shape: [2, 3] },
    { name: "v", shape: [3] },
  ];
  t.doesNotThrow(() => checkStates(graph, [v, w, { name: "more", shape: [] }]));
  t.throws(() => checkStates(graph, [v]), /compile: the graph uses the state "w", which was not/);
  t.throws(() => checkStates(graph, [w]), /compile: the graph uses the state "v", which was not/);
  t.throws(
    () => checkStates(graph, [v, { name: "w", shape: [3, 2] }]),
    /compile: the state "w" is \[3, 2\], but the graph expects \[2, 3\]/,
  );
  t.throws(() => checkStates(graph, [w, { name: "v", shape: [1] }]), /the state "v" is \[1\]/);
  t.end();
});

test("checkFeeds: the elements by name, or what is wrong", (t) => {
  const x = [1, 2, 3, 4, 5, 6];
  const fed = checkFeeds(graph, { start: [1], x });
  t.deepEqual([...fed.keys()].sort(), ["start", "x"]);
  t.equal(fed.get("x"), x, "row-major elements are not copied");
  t.throws(
    () => checkFeeds(graph, { start: [1] }),
    /run: the input "x" was not fed; the graph needs ("x", "start"|"start", "x")/,
  );
  t.throws(
    () => checkFeeds(graph, { start: [1], x, z: [1] }),
    /run: there is no input "z"; the graph/,
  );
  t.throws(
    () => checkFeeds(graph, { start: [1], x: [1] }),
    /^RangeError: run: input "x": 1 values/,
  );
  t.throws(
    () => checkFeeds(graph, { start: [0.5], x }),
    /^TypeError: run: input "start": 0.5 at 0/,
  );
  const none = trace((builder) => builder.output("y", builder.constant(1)));
  t.equal(checkFeeds(none, {}).size, 0);
  t.throws(() => checkFeeds(none, { x }), /there is no input "x"; the graph has no inputs/);
  const odd = trace((builder) => builder.output("y", builder.input("constructor", [1])));
  t.throws(
    () => checkFeeds(odd, {}),
    /the input "constructor" was not fed/,
    "no inherited name is a feed",
  );
  t.end();
});
