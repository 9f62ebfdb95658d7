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
