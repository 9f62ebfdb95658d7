import fc from "fast-check";
import test from "tape";
import { defaults, hashOf, type Settings, settingsOf } from "../src/settings.ts";

const settingses: fc.Arbitrary<Settings> = fc
  .record({
    methods: fc.uniqueArray(
      fc.constantFrom("bn", "bn:whole", "gn:8", "vdn:2+bs:2", "bs:1/4@detached", "ws+gn:8"),
      { minLength: 1, maxLength: 4 },
    ),
    micro: fc.integer({ min: 1, max: 8 }),
    parts: fc.integer({ min: 1, max: 16 }),
    learningRate: fc.double({ min: 1e-4, max: 10, noNaN: true }),
    seed: fc.maxSafeNat(),
    engine: fc.constantFrom("wasm" as const, "webgpu" as const),
    threads: fc.integer({ min: 0, max: 16 }),
  })
  .map(({ parts, ...rest }) => ({ ...rest, batch: parts * rest.micro }));

test("a link restores all settings", (t) => {
  fc.assert(
    fc.property(settingses, (settings) => {
      const url = new URL(`http://site/${hashOf(settings)}`);
      const { settings: read, problems } = settingsOf(url.hash);
      t.deepEqual([read, problems], [settings, []], url.hash);
    }),
    { seed: 7, numRuns: 50 },
  );
  t.end();
});

test("a link without settings is the defaults", (t) => {
  for (const hash of ["", "#"]) t.deepEqual(settingsOf(hash), { settings: defaults, problems: [] });
  t.end();
});

test("what cannot be is the default, and is named", (t) => {
  const wrong = ["micro=0", "seed=x", "methods=a,b,c,d,e", "methods=<b>", "engine=abacus"];
  const rates = ["lr=-1", "lr=0x1", "lr=0b1", "lr=%201", "lr=", "lr=."];
  for (const part of [...wrong, ...rates, "colour=red", "micro", "%E0"]) {
    const { settings, problems } = settingsOf(`#${part}&batch=64`);
    t.deepEqual(settings, { ...defaults, batch: 64 }, part);
    t.equal(problems.length, 1, `${part}: ${problems.join()}`);
  }
  const { settings, problems } = settingsOf("#micro=3&batch=32&seed=5");
  t.deepEqual(settings, { ...defaults, seed: 5 }, "a batch that cannot be split");
  t.equal(problems.length, 1, problems.join());
  t.end();
});
