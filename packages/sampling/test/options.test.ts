// What plain JavaScript passes where types refuse nothing.

import {
  drawOrigin,
  fullBatch,
  mixture,
  planExtent,
  type Strategy,
  samplingError,
  strategyConformance,
} from "@fewnorm/sampling";
import { key, normal } from "@fewnorm/tensor";
import test from "tape";

test("options that are none, or are misspelt, are refused", (t) => {
  const strategy = fullBatch();
  const cases: [unknown, RegExp][] = [
    ["bs:4", /mixture: part 2: the options are "bs:4"; .*strategy, weight/],
    [strategy, /mixture: part 2: there is no option "name"/],
    [{ strategy, weigth: 2 }, /mixture: part 2: there is no option "weigth"/],
  ];
  for (const [options, message] of cases) {
    const make = () => mixture([{ strategy }, options as never]);
    t.throws(make, message);
    t.throws(make, TypeError);
  }
  t.end();
});

test("errors of samples are told for samplings that a training takes, and for known options", (t) => {
  const values = normal(key(1), 8 * 2 * 16);
  const errors = (sampling: unknown, options = {}) => {
    samplingError(values, [8, 2, 4, 4], sampling as Strategy, key(1), options);
  };
  t.doesNotThrow(() => errors(mine, { draws: 2 }));
  t.throws(() => errors(mine, { draw: 2 }), /samplingError: there is no option "draw"/);
  t.throws(() => errors("bs:2"), /samplingError: sampling is "bs:2"; give a strategy/);
  const outside = { ...mine, origin: () => ({ row: 0, top: 7, left: 0 }) };
  t.throws(() => errors(outside), /drawOrigin: .*top/);
  t.end();
});

test("the conformance suite refuses what is no strategy, and options that there are not", (t) => {
  const declare = (strategy: unknown, options = {}) => {
    strategyConformance(() => {}, strategy as Strategy, options);
  };
  t.doesNotThrow(() => declare(mine, { refuses: [] }));
  t.throws(() => declare(mine, { refuse: [] }), /strategyConformance: there is no option "refuse"/);
  const both = mixture([{ strategy: fullBatch() }], "both");
  t.throws(
    () => declare(both),
    /strategyConformance: both is a mixture; test the strategy of each/,
  );
  t.throws(() => declare(undefined), /strategyConformance: strategy is undefined; give one/);
  t.end();
});

const shape = { rows: 8, height: 4, width: 4 };
const mine = {
  name: "mine:2",
  virtualRows: 0,
  extent: () => ({ rows: 2, height: 4, width: 4 }) as unknown,
  origin: () => ({ row: 0, top: 0, left: 0 }) as unknown,
};
const changed = (changes: object) => ({ ...mine, ...changes }) as unknown as Strategy;

test("what is no strategy says what it lacks, wherever it is given", (t) => {
  const cases: [unknown, RegExp][] = [
    [() => mine, /layer: a strategy is a function; give an object/],
    [changed({ name: undefined }), /layer: a strategy's name is undefined; give one/],
    [changed({ name: "" }), /layer: a strategy's name is ""/],
    [
      changed({ extent: undefined }),
      /layer: mine:2: extent is undefined; .* \(shape\) => \({ rows/,
    ],
    [changed({ origin: 3 }), /layer: mine:2: origin is 3; .* => \({ row, top, left }\)/],
    [
      changed({ virtualRows: undefined }),
      /layer: mine:2: virtualRows is undefined; .* and 0 where/,
    ],
  ];
  for (const [strategy, message] of cases) {
    t.throws(() => planExtent("layer", strategy as Strategy, shape), message);
    const inMixture = new RegExp(message.source.replace("layer", "mixture: part 1"));
    t.throws(() => mixture([{ strategy: strategy as Strategy }]), inMixture);
  }
  t.end();
});

test("what is no extent or origin is shown, with what to return", (t) => {
  const extents: [unknown, RegExp][] = [
    [undefined, /TypeError: layer: mine:2: extent gave undefined; let it return { rows, height/],
    [4, /TypeError: .*extent gave 4/],
    [[2, 4, 4], /TypeError: .*extent gave an array; let it return/],
    [
      { rows: "2", height: 4, width: 4 },
      /RangeError: .*the sample's rows is "2", and the map has 8/,
    ],
    [{ rows: 2, height: 4 }, /RangeError: .*the sample's width is undefined, and the map has 4/],
    [
      { rows: 2, height: 4, width: 4, stride: 2 },
      /TypeError: .*extent gave "stride"; .*consecutive/,
    ],
  ];
  for (const [extent, message] of extents) {
    t.throws(() => planExtent("layer", changed({ extent: () => extent }), shape), message);
  }
  t.deepEqual(
    planExtent("layer", changed({ extent: (own: object) => own }), {
      ...shape,
      channels: 3,
    } as never),
    { ...shape, channels: 3 },
    "what the shape has, may be copied",
  );
  const origins: [unknown, RegExp][] = [
    [undefined, /TypeError: drawOrigin: mine:2: origin gave undefined; let it return { row, top/],
    [3, /TypeError: .*origin gave 3/],
    [{ row: 3 }, /RangeError: .*mine:2 drew row 3, top undefined, left undefined; give whole/],
    [{ row: 0.5, top: 0, left: 0 }, /RangeError: .*drew row 0.5/],
  ];
  const extent = { rows: 2, height: 4, width: 4 };
  for (const [origin, message] of origins) {
    const strategy = changed({ origin: () => origin });
    t.throws(() => drawOrigin({ strategy, extent, shape }, key(1)), message);
  }
  t.end();
});

test("the conformance suite tells the reason once, and ends no test by an error of its own", (t) => {
  const reports = (strategy: Strategy) => {
    const failed: string[] = [];
    const check = (passed: boolean, message = "") => {
      if (!passed) failed.push(message);
    };
    const context = {
      ok: (value: unknown, message?: string) => check(Boolean(value), message),
      equal: (a: unknown, b: unknown, message?: string) => check(a === b, message),
      deepEqual: (a: unknown, b: unknown, message?: string) =>
        check(JSON.stringify(a) === JSON.stringify(b), message),
      end() {},
    };
    strategyConformance((_name, body) => body(context), strategy);
    return failed;
  };
  const [reason, ...others] = reports(changed({ extent: undefined }));
  t.match(reason ?? "", /of 11 maps tried 0 can be sampled; one cannot: .*extent is undefined/);
  t.deepEqual(others, []);
  const wanderers = reports(changed({ origin: () => undefined }));
  t.ok(
    wanderers.some((one) => /origin gave undefined; let it return/.test(one)),
    wanderers[0],
  );
  t.end();
});
