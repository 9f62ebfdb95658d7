// Scopes: names, kinds, drawn values; and the model contract's virtual images.

import {
  createScope,
  drawAll,
  logitsOf,
  type Model,
  ones,
  virtualRowsOf,
  zeros,
} from "@fewnorm/nn";
import { createBuilder, key, reshape, sum, type Tensor } from "@fewnorm/tensor";
import test from "tape";

test("names are the path's, and states are declared once", (t) => {
  const { scope, declarations } = createScope(createBuilder(), "train");
  const inner = scope.at("layer1").at("0");
  const first = inner.parameter("weight", [4], ones);
  t.equal(inner.parameter("weight", [4], ones).id, first.id, "the same state is the same tensor");
  inner.buffer("running_mean", [4], zeros);
  t.deepEqual(
    declarations.states.map(({ name, kind }) => [name, kind]),
    [
      ["layer1.0.weight", "parameter"],
      ["layer1.0.running_mean", "buffer"],
    ],
  );
  t.throws(() => inner.parameter("weight", [5], ones), /"layer1\.0\.weight" \[5\].*\[4\]/);
  t.throws(() => inner.buffer("weight", [4], ones), /parameter/, "another kind");
  t.end();
});

test("evaluation changes nothing", (t) => {
  const { scope } = createScope(createBuilder(), "evaluate");
  const mean = scope.buffer("running_mean", [4], zeros);
  t.throws(() => scope.update("running_mean", mean), /evaluation.*; update it where/);
  t.end();
});

test("drawn values have keys of their own, by step and by name", (t) => {
  const builder = createBuilder();
  const { scope, declarations } = createScope(builder, "train");
  const [, b] = ["a", "b"].map((name) => scope.drawn(name, [2], "int32", (from) => [...from]));
  t.throws(() => scope.drawn("a", [2], "int32", (from) => [...from]), /"a" is drawn already/);
  for (const name of ["images", "labels", "learningRate"]) {
    const taken = new RegExp(
      `drawn: a step is fed with "${name}" .*; give the drawn value another`,
    );
    t.throws(() => scope.drawn(name, [], "float32", () => [1]), taken);
    t.doesNotThrow(() => scope.at("layer").drawn(name, [], "float32", () => [1]));
  }
  const [first, again, next] = [1, 1, 2].map((step) => drawAll(declarations.draws, key(step)));
  t.deepEqual(first, again, "the same step");
  t.notDeepEqual(first?.a, first?.b, "another name");
  t.notDeepEqual(first?.a, next?.a, "another step");
  builder.output("b", b as Tensor);
  const { b: read } = first ?? {};
  t.deepEqual(drawAll(declarations.draws, key(1), builder.finish()), { b: read }, "what is read");
  t.end();
});

const model: Model = {
  name: "sums",
  inputShape: [1, 2, 2],
  classes: 1,
  virtualImages: { count: 3, draw: () => new Float32Array(12) },
  logits: (_scope, images) => reshape(sum(images, [1, 2, 3]), [images.shape[0] ?? 1, 1]),
};

test("virtual images ride along in training and are left out of the logits", (t) => {
  const builder = createBuilder();
  const { scope, declarations } = createScope(builder, "train", virtualRowsOf(model, "train"));
  const logits = logitsOf(model, scope, builder.input("images", [5, 1, 2, 2]));
  t.deepEqual(logits.shape, [5, 1]);
  t.deepEqual(
    declarations.draws.map(({ name }) => name),
    ["virtualImages"],
  );
  t.ok(
    builder.nodes.some((node) => node.op === "sum" && node.shape[0] === 8),
    "the model saw 8 rows",
  );
  t.end();
});

test("evaluation has no virtual images, and a scope without them is refused in training", (t) => {
  const builder = createBuilder();
  const images = builder.input("images", [5, 1, 2, 2]);
  const { scope, declarations } = createScope(
    builder,
    "evaluate",
    virtualRowsOf(model, "evaluate"),
  );
  t.deepEqual(logitsOf(model, scope, images).shape, [5, 1]);
  t.equal(declarations.draws.length, 0);
  const training = createScope(builder, "train");
  t.throws(() => logitsOf(model, training.scope, images), /0 virtual rows, sums needs 3/);
  t.end();
});
