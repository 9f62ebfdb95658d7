// The fixture reader: generated values are PyTorch's, and a wrong result does not pass.
import test from "tape";
import { readFixture } from "./fixture.ts";

for (const network of ["bn", "none"]) {
  test(`resnet20 fixture, ${network}: what is generated has the stored checksums`, (t) => {
    const fixture = readFixture("resnet20.json", network);
    const initial = fixture.initial();
    let trainable = 0;
    for (const [name, { values }] of initial) {
      if (!name.includes("running_")) trainable += values.length;
    }
    t.equal(trainable, network === "bn" ? 269_722 : 269_034, "trainable parameters");
    for (let step = 0; step < fixture.steps; step++) {
      t.deepEqual(fixture.images(step).shape, [4, 3, 32, 32]);
      t.equal(fixture.labels(step).length, 4);
    }
    for (const name of fixture.names("gradient.")) {
      t.deepEqual(fixture.entry(name).shape, initial.get(name.slice("gradient.".length))?.shape);
    }
    t.end();
  });
}

// Training is only compared where a fixture has results of it.
const families: Readonly<Record<string, readonly string[]>> = {
  "resnet20.json": ["bn", "narrow"],
  "imagenet-resnet.json": ["narrow"],
  "pre-activation.json": ["basic", "wide"],
  "vgg.json": ["hidden"],
  "densenet.json": ["large"],
  "mobilenet.json": ["bn"],
  "lenet.json": ["bn"],
};

test("every family's fixture holds three steps of SGD and of AdamW", (t) => {
  for (const [file, networks] of Object.entries(families)) {
    const fixtures = networks.map((network) => readFixture(file, network));
    for (const prefix of ["final.", "adamw.final."]) {
      const complete = fixtures.some((fixture) =>
        fixture
          .names("gradient.")
          .every((name) => fixture.names(name.replace("gradient.", prefix)).length > 0),
      );
      t.ok(complete, `${file}, ${prefix} of every parameter`);
    }
    t.ok(fixtures.every(({ steps }) => steps === 3) && fixtures[0]?.adamw, `${file}, three steps`);
  }
  t.end();
});

test("resnet20 fixture: check tells the right tensor from a wrong one", (t) => {
  const fixture = readFixture("resnet20.json", "bn");
  const name = "final.layer1.0.bn1.running_mean";
  const before = fixture.initial().get("layer1.0.bn1.running_mean")!.values;
  t.notOk(fixture.check(name, before, 1e-2).ok, "running statistics before training");
  t.notOk(fixture.check(name, before.fill(Number.NaN), 1e-2).ok, "NaN");
  t.notOk(fixture.check(name, before.subarray(1), 1e-2).ok, "another size");
  t.throws(() => fixture.entry("gradient.nowhere"), /no tensor "gradient.nowhere"/);
  t.end();
});
