// The command: what it writes is what the weights compute, and what is wrong is one line.
import { readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inFolder, startScript } from "@fewnorm/command-line/testing";
import { resnet } from "@fewnorm/models";
import { batchNorm } from "@fewnorm/norm";
import { exportOnnx } from "@fewnorm/onnx";
import { writeSafetensors } from "@fewnorm/safetensors/node";
import { modelMetadata, modelStates } from "@fewnorm/train";
import { writeCheckpoint } from "@fewnorm/train/node";
import * as ort from "onnxruntime-web";
import test from "tape";

const command = (...args: readonly string[]) =>
  startScript(new URL("../src/main.js", import.meta.url), args).ended;

const model = resnet({ depth: 20, norm: batchNorm(), inputShape: [1, 8, 8], classes: 3 });
/** Every value is a little more than the one before, and variances are positive. */
const states = new Map(
  modelStates(model).map(({ name, shape }, i) => {
    const size = shape.reduce((product, extent) => product * extent, 1);
    const wave = (k: number) => 0.1 * Math.sin(i + k) + (shape.length === 1 ? 0.5 : 0);
    return [name, { shape, values: Float32Array.from({ length: size }, (_, k) => wave(k)) }];
  }),
);

test("weights that say what they are need no more options", async (t) => {
  await inFolder(async (folder) => {
    const [init, onnx] = [join(folder, "a.safetensors"), join(folder, "new", "a.onnx")];
    await writeSafetensors(init, states, { metadata: { ...modelMetadata(model), norm: "bs:4" } });
    const { code, stdout, stderr } = await command("--init", init, "--onnx", onnx, "--fold-norms");
    t.equal(code, 0, stderr);
    t.match(
      stdout,
      /a\.onnx: resnet20 with bs:4, folded, images \[N, 1, 8, 8\] to logits \[N, 3\], \d+ bytes\n$/,
    );
    const bytes = await readFile(onnx);
    t.ok(bytes.equals(await exportOnnx(model, states, { foldNorms: true })), "as by the function");
    t.deepEqual(await readdir(join(folder, "new")), ["a.onnx"]);
    ort.env.wasm.numThreads = 1;
    const session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
    t.deepEqual([[...session.inputNames], [...session.outputNames]], [["images"], ["logits"]]);
    await session.release();
  });
});

test("of a checkpoint with averages these are exported, or the newest weights, and it says which", async (t) => {
  await inFolder(async (folder) => {
    const onnx = join(folder, "a.onnx");
    // Only parameters are averaged.
    const averages = [...states].flatMap(([name, { shape, values }]) =>
      name.includes("running")
        ? []
        : [[name, { shape, values: values.map((x) => x / 2) }] as const],
    );
    const slots = averages.map(([name, average]) => [`${name}.average`, average] as const);
    const progress = { epoch: { count: 0, loss: 0, correct: 0 } };
    const rest = { step: 1, settings: {}, notes: {}, progress };
    const metadata = { ...modelMetadata(model), norm: "bn" };
    const checkpoint = { ...rest, tensors: new Map([...states, ...slots]) };
    const init = await writeCheckpoint(folder, checkpoint, metadata);
    t.equal((await command("--init", folder, "--onnx", onnx)).code, 0, "the folder will do");
    const all = await command("--init", init, "--onnx", onnx);
    t.equal(all.code, 0, all.stderr);
    t.match(all.stdout, /: resnet20 with bn, averages of its weights, images/);
    const expected = await exportOnnx(model, new Map([...states, ...averages]));
    t.ok((await readFile(onnx)).equals(expected), "the averages");
    const newest = await command("--init", init, "--onnx", onnx, "--newest");
    t.match(newest.stdout, /: resnet20 with bn, the newest weights, not their averages, images/);
    t.ok((await readFile(onnx)).equals(await exportOnnx(model, states)), "the newest");
    await writeCheckpoint(folder, { ...rest, tensors: states }, metadata);
    t.match((await command("--init", init, "--onnx", onnx)).stdout, /: resnet20 with bn, images/);
  });
});

test("a file of PyTorch is described by options", async (t) => {
  await inFolder(async (folder) => {
    const [init, onnx] = [join(folder, "a.safetensors"), join(folder, "a.onnx")];
    const counter = { shape: [], values: Float32Array.of(3) };
    await writeSafetensors(init, new Map(states).set("bn1.num_batches_tracked", counter));
    const files = ["--init", init, "--onnx", onnx];
    const size = ["--shape", "1x8x8", "--classes", "3"];
    const { code, stderr } = await command(
      ...files,
      "--model",
      "resnet20",
      ...size,
      "--batch",
      "2",
    );
    t.equal(code, 0, stderr);
    t.ok((await readFile(onnx)).equals(await exportOnnx(model, states, { batch: 2 })));
    for (const [args, expected, status] of [
      [size, /does not say what it is the weights of; give --model, such as resnet20; see/, 2],
      [["--model", "resnet20"], /give --classes; see/, 2],
      [["--model", "resnet20", "--classes", "3"], /give --shape, such as 3x32x32; see/, 2],
      [
        ["--model", "resnet32", ...size],
        /does not fit resnet32 \(missing: layer1\.3.*; give the --model and/,
        1,
      ],
      [["--model", "resnet21", ...size], /--model: there is no model "resnet21"/, 2],
      [
        ["--model", "resnet20", "--shape", "8x8"],
        /--shape 8x8 is not a shape CxHxW; give e\.g\./,
        2,
      ],
      [["--model", "resnet20", "--classes", "0"], /--classes 0 is not a whole number >= 1/, 2],
      [
        ["--modle", "resnet20"],
        /^export: there is no option --modle, did you mean --model\? See/,
        2,
      ],
    ] as const) {
      const refused = await command(...files, ...args);
      t.match(refused.stderr, expected);
      t.equal(refused.stderr.trimEnd().split("\n").length, 1, "one line");
      t.equal(refused.code, status);
    }
  });
});

test("a norm that computes something else than the file's own is refused", async (t) => {
  await inFolder(async (folder) => {
    const [init, onnx] = [join(folder, "a.safetensors"), join(folder, "a.onnx")];
    const metadata = { model: "resnet20", norm: "bn", classes: "3", inputShape: "1x8x8" };
    await writeSafetensors(init, states, { metadata });
    const files = ["--init", init, "--onnx", onnx];
    for (const norm of ["bn", "bs:4", "vdn:2@detached", "frozen"]) {
      const { code, stderr } = await command(...files, "--norm", norm);
      t.equal(code, 0, `${norm}: ${stderr}`);
    }
    const { code, stderr } = await command(...files, "--norm", "ws+bn");
    t.equal(code, 2);
    t.match(stderr, /says that its norm is bn, and --norm ws\+bn computes something else; leave/);
  });
});

test("what a file says of itself may be of other tools", async (t) => {
  await inFolder(async (folder) => {
    const [init, onnx] = [join(folder, "a.safetensors"), join(folder, "a.onnx")];
    for (const [metadata, expected] of [
      [
        { model: "MyNet" },
        /a\.safetensors needs --model, since its own: there is no model "MyNet"/,
      ],
      [{ norm: "rms" }, /a\.safetensors needs --norm, since its own: there is no norm "rms"/],
    ] as const) {
      await writeSafetensors(init, states, { metadata: { ...modelMetadata(model), ...metadata } });
      const { code, stderr } = await command("--init", init, "--onnx", onnx);
      t.match(stderr, expected);
      t.equal(code, 2);
      const told = await command(
        "--init",
        init,
        "--onnx",
        onnx,
        "--model",
        "resnet20",
        "--norm",
        "bn",
      );
      t.equal(told.code, 0, told.stderr);
    }
  });
});

test("files that are missing, damaged or in the way", async (t) => {
  await inFolder(async (folder) => {
    const init = join(folder, "a.safetensors");
    t.match((await command("--onnx", "a.onnx")).stderr, /^export: --init is missing/);
    t.match((await command("--init", init)).stderr, /^export: --onnx is missing/);
    const run = async (onnx: string) => (await command("--init", init, "--onnx", onnx)).stderr;
    t.match(await run(join(folder, "a.onnx")), /^openSafetensors: cannot read .*ENOENT/);
    await writeFile(init, "not weights");
    t.match(await run(join(folder, "a.onnx")), /^openSafetensors: .*has 11 bytes/);
    await writeSafetensors(init, states, { metadata: modelMetadata(model) });
    t.match(await run(join(init, "a.onnx")), /^export: cannot write .*a\.onnx \(/);
    t.deepEqual(await readdir(folder), ["a.safetensors"], "nothing was left behind");
    t.equal((await command("--help")).code, 0);
    t.ok(
      (await command("--help")).stdout.split("\n").every((line) => line.length <= 100),
      "no line of the help is longer than 100",
    );
  });
});

test("weights are not overwritten by what is made of them", async (t) => {
  await inFolder(async (folder) => {
    const init = join(folder, "a.safetensors");
    await writeSafetensors(init, states, { metadata: { ...modelMetadata(model), norm: "bn" } });
    const before = await readFile(init);
    const { code, stderr } = await command("--init", init, "--onnx", init);
    t.equal(code, 2);
    t.match(stderr, /--init and --onnx are both \S+; give different files/);
    t.ok(before.equals(await readFile(init)));
    const onnx = join(folder, "a.onnx");
    await symlink(init, onnx);
    t.equal((await command("--init", init, "--onnx", onnx)).code, 2, "under another name");
    t.ok(before.equals(await readFile(init)));
  });
});
