// A model's states as safetensors: written and read back, PyTorch's extras ignored, everything else strict.
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { batchRenorm } from "@fewnorm/norm";
import { encodeSafetensors, type FloatTensor, openSafetensors } from "@fewnorm/safetensors";
import { openSafetensorsFile } from "@fewnorm/safetensors/node";
import { key } from "@fewnorm/tensor";
import {
  adamw,
  averaged,
  encodeCheckpoint,
  type HostTensor,
  hasAverages,
  modelStates,
  readStateDict,
  sgd,
  stateDictOf,
  type Trainer,
  train,
} from "@fewnorm/train";
import { loadStateDict, saveStateDict, weightsFile, writeCheckpoint } from "@fewnorm/train/node";
import test from "tape";
import { tinyDataset, tinyModel, withTrainer } from "./tiny.ts";

const names = [
  ...["conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var"],
  ...["conv2.weight", "conv2.bias", "fc.weight", "fc.bias"],
];

/** Trained a little, so that nothing is at its first value. */
async function trained(trainer: Trainer): Promise<Map<string, HostTensor>> {
  for await (const _ of train(trainer, tinyDataset(), { epochs: 1, schedule: () => 0.1 }));
  return stateDictOf(trainer);
}

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "fewnorm-"));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const read = async (tensors: ReadonlyMap<string, FloatTensor>, model = tinyModel()) =>
  readStateDict(await openSafetensors(encodeSafetensors(tensors)), model, "F");

test("a model's states are its parameters and running statistics", async (t) => {
  t.deepEqual(
    modelStates(tinyModel())
      .map(({ name }) => name)
      .sort(),
    [...names].sort(),
  );
});

test("what is saved is loaded, and gives the same logits", async (t) => {
  await inFolder(async (folder) => {
    const path = join(folder, "new", "tiny.safetensors");
    const images = new Float32Array(4 * 36).map((_, i) => Math.sin(i));
    const [states, logits] = await withTrainer(async (trainer) => {
      const saved = await trained(trainer);
      await saveStateDict(path, trainer, { norm: "bs:2" });
      return [saved, await trainer.logits(images)] as const;
    });
    t.deepEqual(await readdir(join(folder, "new")), ["tiny.safetensors"]);
    const file = await openSafetensorsFile(path);
    t.deepEqual([...file.tensors.keys()].sort(), [...names].sort(), "no slots");
    t.deepEqual(Object.fromEntries(file.metadata), {
      ...{ format: "pt", model: "tiny", inputShape: "1x6x6", classes: "3", norm: "bs:2" },
    });
    await file.dispose();
    await withTrainer(async (trainer) => {
      await trainer.initialize(key(7));
      await loadStateDict(path, trainer);
      t.deepEqual(await stateDictOf(trainer), states);
      t.deepEqual(await trainer.logits(images), logits);
    });
  });
});

test("PyTorch's counters are ignored, and other names listed", async (t) => {
  const states = await withTrainer(trained);
  const counted = new Map(states).set("bn1.num_batches_tracked", {
    shape: [],
    values: Float32Array.of(3),
  });
  t.deepEqual(await read(counted), states);
  const other = new Map(counted);
  other.delete("conv2.bias");
  other.set("bn9.weight", { shape: [1], values: Float32Array.of(1) });
  other.set("fc.weight", { shape: [4, 3], values: new Float32Array(12) });
  const message = await read(other).catch((error: Error) => error.message);
  t.equal(
    message,
    "readStateDict: F does not fit tiny (missing: conv2.bias; not expected: bn9.weight; fc.weight is [4, 3] there, [3, 4] here); build the model that it is of",
  );
});

test("a running variance below 0 is named; what rounding leaves of 0 is not", async (t) => {
  const states = await withTrainer(trained);
  const name = "bn1.running_var";
  const values = Float32Array.of(1, 0, -0.5, -1);
  const message = await read(new Map(states).set(name, { shape: [4], values })).catch(
    (error: Error) => error.message,
  );
  t.match(
    String(message),
    /^readStateDict: F has -0\.5 in channel 2 of "bn1\.running_var", where 0/,
  );
  await withTrainer(async (trainer) => {
    await trainer.initialize(key(3));
    const before = await trainer.read();
    const all = new Map(states).set(name, { shape: [4], values });
    const refused = await trainer.write(all).catch(String);
    t.match(
      String(refused),
      /^RangeError: write: .* has -0\.5 in channel 2 of "bn1\.running_var", where 0/,
    );
    t.deepEqual(await trainer.read(), before, "nothing has changed");
  });
  await withTrainer(
    async (trainer) => {
      const deviation = new Map([["bn1.running_std", { shape: [4], values }]]);
      const refused = await trainer.write(deviation).catch(String);
      t.match(String(refused), /has -0\.5 in channel 2 of "bn1\.running_std", where 0/);
    },
    { model: tinyModel("tiny", batchRenorm()) },
  );
  const rounded = { shape: [4], values: Float32Array.of(1, 0, -1e-9, 1) };
  t.deepEqual((await read(new Map(states).set(name, rounded))).get(name), rounded);
});

test("what does not fit says what it is of, and the caller what to do", async (t) => {
  const states = await withTrainer(trained);
  states.delete("fc.bias");
  const refusal = async (metadata: Record<string, string>) => {
    const file = await openSafetensors(encodeSafetensors(states, { metadata }));
    const options = { remedy: "give another" };
    return readStateDict(file, tinyModel(), "F", options).catch((error: Error) => error.message);
  };
  const problem = "readStateDict: F does not fit tiny (missing: fc.bias)";
  t.equal(await refusal({ norm: "bn" }), `${problem}; give another`);
  t.equal(
    await refusal({ model: "small" }),
    `${problem}; it says that it is of small; give another`,
  );
  t.equal(
    await refusal({ model: "small", norm: "bs:4", classes: "9" }),
    `${problem}; it says that it is of small with bs:4 for 9 classes; give another`,
  );
});

test("a checkpoint can be a beginning; in other files its slots are not expected", async (t) => {
  const { all, states } = await withTrainer(async (trainer) => {
    const states = await trained(trainer);
    return { states, all: await trainer.read() };
  });
  t.ok(all.size > states.size, "there are slots");
  const progress = { epoch: { count: 0, loss: 0, correct: 0 } };
  const bytes = await encodeCheckpoint({
    ...{ step: 1, settings: {}, notes: {}, progress, tensors: all },
  });
  t.deepEqual(await readStateDict(await openSafetensors(bytes), tinyModel()), states);
  const damaged = bytes.slice();
  damaged[bytes.length - 2] = (bytes.at(-2) as number) ^ 1;
  const refused = readStateDict(await openSafetensors(damaged), tinyModel(), "F");
  t.match(
    String(await refused.catch((error: Error) => error.message)),
    /^readStateDict: F does not match its checksum; it is damaged, use another checkpoint$/,
  );
  const message = await read(all).catch((error: Error) => error.message);
  t.match(String(message), /not expected: conv1\.weight\.momentum/);
});

test("averages are what is saved, and what is loaded", async (t) => {
  await inFolder(async (folder) => {
    const path = join(folder, "averaged.safetensors");
    const options = { optimizer: averaged(adamw(), 0.9) };
    const images = new Float32Array(4 * 36).map((_, i) => Math.sin(i));
    const [all, logits, evaluated] = await withTrainer(async (trainer) => {
      const evaluated = await trained(trainer);
      await saveStateDict(path, trainer);
      return [await trainer.read(), await trainer.logits(images), evaluated] as const;
    }, options);
    for (const other of [options, {}]) {
      await withTrainer(async (trainer) => {
        await loadStateDict(path, trainer);
        t.deepEqual(await trainer.logits(images), logits);
      }, other);
    }
    const progress = { epoch: { count: 0, loss: 0, correct: 0 } };
    const rest = { step: 1, settings: {}, notes: {}, progress };
    const newest = await writeCheckpoint(folder, { ...rest, tensors: all });
    t.equal(await weightsFile(folder), newest, "the folder of a training has a checkpoint");
    t.equal(await weightsFile(path), path);
    await withTrainer(async (trainer) => {
      await loadStateDict(folder, trainer);
      t.deepEqual((await trainer.read()).get("fc.weight"), all.get("fc.weight"));
    });
    const file = await openSafetensors(await encodeCheckpoint({ ...rest, tensors: all }));
    t.ok(file.tensors.has("optimizer.average_correction"), "a slot of all parameters");
    const read = await readStateDict(file, tinyModel());
    t.deepEqual(read.get("fc.weight"), all.get("fc.weight"), "of a checkpoint, the newest");
    t.notDeepEqual(read.get("fc.weight"), all.get("fc.weight.average"));
    t.ok(hasAverages(file, tinyModel()));
    const averages = await readStateDict(file, tinyModel(), "F", { averages: true });
    t.deepEqual(averages, evaluated, "or, if wanted, what evaluation takes");

    const saved = await openSafetensorsFile(path);
    t.notOk(hasAverages(saved, tinyModel()), "what was saved has one of both");
    t.deepEqual(await readStateDict(saved, tinyModel(), "F", { averages: true }), evaluated);
    await saved.dispose();
    const other = { shape: [4, 3], values: new Float32Array(12) };
    const tensors = new Map(all).set("fc.weight.average", other);
    const misshapen = await openSafetensors(await encodeCheckpoint({ ...rest, tensors }));
    const message = await readStateDict(misshapen, tinyModel(), "F", { averages: true }).catch(
      (error: Error) => error.message,
    );
    t.match(String(message), /\(fc\.weight\.average is \[4, 3\] there, \[3, 4\] here\)/);
  });
});

test("a training begins with the values that it is given", async (t) => {
  const initial = await withTrainer(trained);
  await withTrainer(async (trainer) => {
    for await (const event of train(trainer, tinyDataset(), {
      ...{ epochs: 1, schedule: () => 0, initial },
    })) {
      if (event.type !== "start") continue;
      t.deepEqual(await stateDictOf(trainer), initial);
      const slot = (await trainer.read()).get("conv1.weight.momentum");
      t.ok(
        slot?.values.every((value) => value === 0),
        "slots begin as always",
      );
    }
  });
});

test("before the first step averages are the parameters themselves", async (t) => {
  const options = { optimizer: averaged(sgd(), 0.9) };
  await withTrainer(async (trainer) => {
    await trainer.initialize(key(3));
    const first = await trainer.read();
    const saved = async () => (await stateDictOf(trainer)).get("fc.weight");
    t.deepEqual(await saved(), first.get("fc.weight"), "as they are initialized");
    const other = { shape: [3, 4], values: new Float32Array(12).fill(2) };
    await trainer.write(new Map([["fc.weight", other]]));
    t.deepEqual(await saved(), other, "as they are written");
  }, options);
});

test("states of another shape are refused before any changes", async (t) => {
  await withTrainer(async (trainer) => {
    await trainer.initialize(key(3));
    const before = await trainer.read();
    const tensors = new Map([
      ["conv2.bias", { shape: [4], values: new Float32Array(4).fill(1) }],
      ["fc.weight", { shape: [4, 3], values: new Float32Array(12) }],
    ]);
    const message = await trainer.write(tensors).catch((error: Error) => error.message);
    t.equal(message, 'write: "fc.weight" is [4, 3], but tiny expects [3, 4]');
    t.deepEqual(await trainer.read(), before);
  });
});

test("batch renormalization's counter is saved, and 0 where a file has none", async (t) => {
  const model = tinyModel("tiny", batchRenorm());
  const states = await withTrainer(trained, { model });
  const counter = "bn1.num_batches_tracked";
  t.ok((states.get(counter)?.values[0] ?? 0) > 0, `${states.get(counter)?.values[0]} steps`);
  t.deepEqual((await read(states, model)).get(counter), states.get(counter));
  const without = new Map(states);
  without.delete(counter);
  t.deepEqual((await read(without, model)).get(counter)?.values, Float32Array.of(0));
});
