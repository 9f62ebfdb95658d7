// What plain JavaScript passes where types refuse nothing.

import { checkMethod, checkOptions } from "@fewnorm/tensor";
import test from "tape";

test("checkOptions takes objects of known options only", (t) => {
  const check = (options: unknown) =>
    checkOptions("f", options as { readonly batch?: number; readonly key?: string }, [
      "batch",
      "key",
    ]);
  for (const options of [{}, { batch: 4 }, { batch: undefined, key: "a" }, Object.create(null)]) {
    t.doesNotThrow(() => check(options));
  }
  const cases: [unknown, string][] = [
    ["bs:4", 'f: the options are "bs:4"; give an object of options: batch, key'],
    [8, "f: the options are 8; give an object of options: batch, key"],
    [null, "f: the options are null; give an object of options: batch, key"],
    [undefined, "f: the options are undefined; give an object of options: batch, key"],
    [[4], "f: the options are an array; give an object of options: batch, key"],
    [() => 4, "f: the options are a function; give an object of options: batch, key"],
    [{ batch: 4, kee: "a" }, 'f: there is no option "kee"; the options are batch, key'],
    [{ batchSize: undefined }, 'f: there is no option "batchSize"; the options are batch, key'],
  ];
  for (const [options, message] of cases) {
    t.throws(() => check(options), new TypeError(message), message);
  }
  t.end();
});

test("checkMethod takes values with the method only", (t) => {
  const check = (value: unknown) => () => checkMethod("f", "norm", value, "layer", "batchNorm()");
  class Instance {
    layer() {}
  }
  t.doesNotThrow(check({ layer() {} }));
  t.doesNotThrow(check(new Instance()));
  const cases: [unknown, string][] = [
    ["bn", 'f: norm is "bn"; give batchNorm()'],
    [null, "f: norm is null; give batchNorm()"],
    [undefined, "f: norm is undefined; give batchNorm()"],
    [Instance, "f: norm is a function; give batchNorm()"],
    [{ layer: true }, "f: norm is another object; give batchNorm()"],
  ];
  for (const [value, message] of cases) t.throws(check(value), new TypeError(message), message);
  t.end();
});
