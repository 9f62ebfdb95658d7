// What plain JavaScript passes where types refuse nothing.

import { checkMethod, checkOptions } from "@fewnorm/tensor";
import test from "tape";

test("checkOptions takes objects of known options only", (t) => {
  const check = (options: unknown) =>
    checkOptions("f", options as { readonly batch?: number; readonly key?: string }, {
      batch: "number",
      key: "string",
    });
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

test("checkOptions takes values of the options' kinds only", (t) => {
  interface Options {
    readonly width?: number;
    readonly bias?: boolean;
    readonly over?: "image" | "pixel";
    readonly decays?: (name: string) => boolean;
    readonly betas?: readonly [number, number];
    readonly norm?: { readonly name: string };
  }
  const check = (options: unknown) => () =>
    checkOptions("f", options as Options, {
      width: "number",
      bias: "boolean",
      over: "string",
      decays: "function",
      betas: "array",
      norm: "any",
    });
  const cases: [object, string][] = [
    [{ width: "4" }, 'f: width is "4"; give a number'],
    [{ width: null }, "f: width is null; give a number"],
    [{ width: 4n }, "f: width is 4; give a number"],
    [{ bias: "false" }, 'f: bias is "false"; give true or false'],
    [{ bias: 0 }, "f: bias is 0; give true or false"],
    [{ over: ["pixel"] }, "f: over is an array; give a string"],
    [{ decays: "weights" }, 'f: decays is "weights"; give a function'],
    [{ betas: 0.9 }, "f: betas is 0.9; give an array"],
    [{ betas: { 0: 0.9, 1: 0.99 } }, "f: betas is another object; give an array"],
  ];
  for (const [options, message] of cases) {
    t.throws(check(options), new TypeError(message), message);
  }
  t.doesNotThrow(
    check({ width: NaN, bias: false, over: "", decays: Number.isNaN, betas: [], norm: 4 }),
  );
  t.doesNotThrow(check({ width: undefined, bias: undefined, betas: undefined }));
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
