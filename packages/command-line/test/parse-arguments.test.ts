// Command lines become typed values, and what is wrong with them is one sentence.
import {
  above,
  atLeast,
  checkExclusive,
  list,
  names,
  oneOf,
  parseArguments,
  readText,
  several,
  shape,
  text,
  whole,
} from "@fewnorm/command-line";
import test, { type Test } from "tape";

const options = {
  data: text,
  batch: whole(1),
  seed: whole(0),
  lr: atLeast(0, "0.1"),
  time: above(0, "70", "number of seconds"),
  backend: oneOf("backend", ["wasm", "reference"]),
  milestones: list(whole(0)),
  input: shape("CxHxW"),
  shapes: list(shape("NxCxHxW")),
  norms: names(parseName),
  peer: several(text),
  foldNorms: "flag",
  full: "flag",
} as const;

function parseName(name: string): string {
  if (name.startsWith("b")) return name;
  throw new RangeError(`parseName: there is no norm "${name}"`);
}

/** Both refuse with exit status 2 and, of several sentences, exactly this one. */
function refuses(t: Test, read: () => unknown, message: string): void {
  try {
    read();
    t.fail(`${message}: nothing was thrown`);
  } catch (error) {
    t.equal((error as Error).message, message);
    t.equal((error as { exitCode?: unknown }).exitCode, 2);
  }
}

test("values have their types, and what was not given is absent", (t) => {
  const { values, positionals } = parseArguments(
    ["--batch", "128", "--data=-x", "--lr", "5e-4", "--fold-norms", "--milestones", "3,0"],
    options,
  );
  const expected = { data: "-x", batch: 128, lr: 5e-4, milestones: [3, 0], foldNorms: true };
  t.deepEqual(values, expected);
  t.deepEqual(positionals, []);
  const { batch = 0, data = "", full = false } = values;
  t.equal(batch + data.length, 130, "a number and a text to the compiler as well");
  t.equal(full, false);
  t.end();
});

test("numbers are read in every decimal notation", (t) => {
  for (const [text, lr] of [
    ["1e-3", 1e-3],
    ["1E+2", 100],
    [".5", 0.5],
    ["5.", 5],
    ["+010", 10],
  ] as const) {
    t.deepEqual(parseArguments(["--lr", text], options).values, { lr }, text);
  }
  t.end();
});

test("names, shapes and repeated options", (t) => {
  const shapes = "128x16x32x32,1×2x3x4";
  const { values, positionals } = parseArguments(
    ["wasm", "--norms", "bn,bs:4,bn", "--shapes", shapes, "--peer", "a", "--peer=b", "reference"],
    options,
    options.backend,
  );
  t.deepEqual(values, {
    norms: ["bn", "bs:4"],
    shapes: [
      [128, 16, 32, 32],
      [1, 2, 3, 4],
    ],
    peer: ["a", "b"],
  });
  t.deepEqual(positionals, ["wasm", "reference"]);
  t.end();
});

test("each mistake has its sentence", (t) => {
  const needsValue = "--lr needs a value; one that begins with - is written --lr=-1";
  const mistakes: readonly (readonly [args: readonly string[], message: string])[] = [
    [["--bacth", "4"], "there is no option --bacth, did you mean --batch?"],
    [["--foldnorms"], "there is no option --foldnorms, did you mean --fold-norms?"],
    [["--foldNorms"], "there is no option --foldNorms, did you mean --fold-norms?"],
    [["--hlep"], "there is no option --hlep, did you mean --help?"],
    [["--nothing-like-it=3"], "there is no option --nothing-like-it"],
    [["-x"], "there is no option -x"],
    [["--lr", "-0.1"], needsValue],
    [["--lr", "--full"], needsValue],
    [["--lr"], "--lr needs a value; give one"],
    [["--full=yes"], "Option '--full' does not take an argument"],
    [["--batch", "4", "--batch", "4"], "--batch is given 2 times; give it once"],
    [["somewhere"], '"somewhere" belongs to no option; leave it out'],
    [["--data", ""], "--data is empty; give a value"],
    [["--peer", "a", "--peer", ""], "--peer is empty; give a value"],
    [["--batch", "0"], "--batch 0 is not a whole number >= 1"],
    [["--batch", "1.5"], "--batch 1.5 is not a whole number >= 1"],
    [["--batch", "1e3"], "--batch 1e3 is not a whole number >= 1"],
    [["--batch", " 1"], "--batch  1 is not a whole number >= 1"],
    [["--seed", "9007199254740992"], "--seed 9007199254740992 is not a whole number >= 0"],
    [["--milestones", "1,"], "--milestones  is not a whole number >= 0"],
    [["--lr=-0.1"], "--lr -0.1 is not a number >= 0; give e.g. 0.1"],
    [["--lr", ""], "--lr  is not a number >= 0; give e.g. 0.1"],
    [["--lr", "Infinity"], "--lr Infinity is not a number >= 0; give e.g. 0.1"],
    [["--lr", "0x10"], "--lr 0x10 is not in decimal notation; give e.g. 0.1"],
    [["--time", "0B1"], "--time 0B1 is not in decimal notation; give e.g. 70"],
    [["--lr", "0o7"], "--lr 0o7 is not in decimal notation; give e.g. 0.1"],
    [["--lr", "0x1.8p0"], "--lr 0x1.8p0 is not a number >= 0; give e.g. 0.1"],
    [["--time", "0"], "--time 0 is not a number of seconds above 0; give e.g. 70"],
    [
      ["--backend", "wsam"],
      'there is no backend "wsam", did you mean "wasm"? Backends are wasm, reference',
    ],
    [["--backend", "cuda"], 'there is no backend "cuda"; backends are wasm, reference'],
    [["--norms", "bn,gn"], '--norms: there is no norm "gn"'],
    [["--input", "32x32"], "--input 32x32 is not a shape CxHxW; give e.g. 3x32x32"],
    [["--input", "0x32x32"], "--input 0x32x32 is not a shape CxHxW; give e.g. 3x32x32"],
    [["--shapes", "3x32x32"], "--shapes 3x32x32 is not a shape NxCxHxW; give e.g. 128x16x32x32"],
  ];
  for (const [args, message] of mistakes) {
    refuses(t, () => parseArguments(args, options), message);
  }
  refuses(
    t,
    () => parseArguments(["cuda"], options, options.backend),
    'there is no backend "cuda"; backends are wasm, reference',
  );
  t.end();
});

test("errors that are no mistakes of the user pass as they are", (t) => {
  const broken = () => {
    throw new TypeError("broken");
  };
  t.throws(() => parseArguments(["--a", "x"], { a: broken }), TypeError);
  t.throws(() => parseArguments(["--a", "x"], { a: names(broken) }), TypeError);
  t.end();
});

test("options that exclude each other, and texts from elsewhere", (t) => {
  const values = { weightDecay: 0, clip: 1, ema: undefined };
  checkExclusive(values, "clip", "ema");
  refuses(
    t,
    () => checkExclusive(values, "clip", "weightDecay"),
    "--clip and --weight-decay exclude each other; give one of them",
  );
  t.equal(readText(whole(1), "7", "the file's number of classes"), 7);
  refuses(
    t,
    () => readText(whole(1), "few", "the file's number of classes"),
    "the file's number of classes few is not a whole number >= 1",
  );
  t.end();
});
