// Norm names: every form that is documented works, and what is misspelt gets one helpful line.
import { normForms, parseNorm, parseSampling } from "@fewnorm/presets";
import { partsOf } from "@fewnorm/sampling";
import fc from "fast-check";
import test from "tape";

const good = [
  "bn",
  "ns:4",
  "bs:4",
  "bs:1/32",
  "bs:1/32:min10",
  "fs:4x8",
  "fs:1/32",
  "fs:1/32:min10",
  "vdn:4",
  "vdn:4:kept",
  "vdn:2+bs:2",
  "3*vdn:2+1*bs:2",
];
/** Norms that take no sampling, and so have no gradients to choose from. */
const plain = [
  "none",
  "gn:8",
  "ln",
  "ln:pixel",
  "in",
  "in:plain",
  "brn",
  "brn:500",
  "ghost:16",
  "frozen",
  "frozen:affine",
];
const gradients = ["sampled", "sampled-all", "detached"];

function messageOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    return error instanceof RangeError ? error.message : `not a RangeError: ${error}`;
  }
  return "nothing was thrown";
}

test("a norm bears the name that it was parsed from", (t) => {
  for (const name of [...good, ...plain]) {
    t.equal(parseNorm(name).name, name);
    t.equal(parseNorm(`ws+${name}`).name, `ws+${name}`);
  }
  t.end();
});

test("@exact is the default, other gradients show in the name", (t) => {
  for (const name of good) {
    t.equal(parseNorm(`${name}@exact`).name, name);
    for (const gradient of gradients) {
      // Virtual rows alone have no gradients to sample.
      if (gradient === "sampled-all" && /^vdn:\d+(:kept)?$/.test(name)) continue;
      t.equal(parseNorm(`${name}@${gradient}`).name, `${name}@${gradient}`);
    }
  }
  t.match(
    messageOf(() => parseNorm("vdn:4@sampled-all")),
    /vdn:4.*real ones/,
  );
  t.end();
});

test("the forms of the help text can be parsed", (t) => {
  for (const { form } of normForms) {
    for (const name of form.split(", ")) t.doesNotThrow(() => parseNorm(name), name);
  }
  t.end();
});

test("a mixture keeps its parts and weights", (t) => {
  const parts = partsOf(parseSampling("3*vdn:2+1*bs:2"));
  t.deepEqual(
    parts.map(({ strategy, weight }) => [strategy.name, weight]),
    [
      ["vdn:2", 3],
      ["bs:2", 1],
    ],
  );
  t.end();
});

test("misspelt norms get one line with all forms and the nearest name", (t) => {
  const cases: readonly [string, RegExp][] = [
    ["bz:4", /there is no norm "bz:4", did you mean "bs:4"\?/],
    ["BN", /did you mean "bn"\?/],
    ["vnd:4", /did you mean "vdn:4"\?/],
    ["nonee", /did you mean "none"\?/],
    ["batchnorm", /there is no norm "batchnorm"; norms are/],
    ["vdn:2+sb:2", /there is no norm "sb:2" in "vdn:2\+sb:2"/],
    ["bs", /"bs" has no size, as in "bs:4"/],
    ["none+bs:2", /"none" in "none\+bs:2"/],
    ["none@exact", /none has no gradients/],
    ["gn:8@exact", /gn:8 has no gradients/],
    ["gn", /"gn" is not a form of "gn"/],
    ["ghost:0", /"ghost:0" is not a form of "ghost"/],
    ["in:8", /"in:8" is not a form of "in"/],
    ["gost:16", /did you mean "ghost:16"\?/],
    ["ng:8", /did you mean "gn:8"\?/],
    ["ws+bz:4", /there is no norm "bz:4", did you mean "bs:4"\?/],
    ["gn:8+bs:2", /"gn:8" in "gn:8\+bs:2" is a norm, and no sampling/],
    ["bs:4@exact@exact", /one @ is enough/],
    ["", /there is no norm ""/],
    ["toString:4", /there is no norm "toString:4"/],
  ];
  for (const [name, expected] of cases) {
    const message = messageOf(() => parseNorm(name));
    t.match(message, expected, name);
    t.match(message, /none, bn, ns:4, bs:4 or bs:1\/32, fs:4x8/, `${name}: lists the forms`);
    t.notOk(message.includes("\n"), `${name}: one line`);
  }
  t.match(
    messageOf(() => parseNorm("bs:4@exakt")),
    /did you mean "exact"\? Gradients are/,
  );
  t.match(
    messageOf(() => parseNorm("bs:0")),
    /"0" is neither a number of images nor a ratio; write for example bs:4/,
  );
  t.equal(parseNorm("1e-7*vdn:2+1*bs:1e-7").name, "1e-7*vdn:2+1*bs:1e-7");
  t.match(
    messageOf(() => parseNorm("bs:four")),
    /bs:4 or bs:1\/32/,
  );
  t.match(
    messageOf(() => parseNorm("fs:4")),
    /fs:4x8 or fs:1\/32/,
  );
  t.end();
});

test("whatever is written, parsing gives a norm or one line", (t) => {
  const pieces = fc.constantFrom(
    "bs",
    "bn",
    "vdn",
    "fs",
    "ns",
    "none",
    "gn",
    "ws",
    "brn",
    ":",
    "@",
    "+",
    "*",
    "4",
    "1/",
    "x",
    "exact",
    "\n",
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 8 }), (parts) => {
      try {
        parseNorm(parts.join(""));
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
    }),
    { seed: 3, numRuns: 2000 },
  );
  t.pass("nothing but RangeErrors");
  t.end();
});
