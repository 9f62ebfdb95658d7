// What plain JavaScript passes where types refuse nothing.

import { createReferenceBackend } from "@fewnorm/backend-reference";
import {
  adamw,
  averaged,
  classification,
  clipped,
  constant,
  cosine,
  createTrainer,
  evaluate,
  evaluateWithBatchStatistics,
  lars,
  mixup,
  readStateDict,
  recalibrate,
  sgd,
  stepDecay,
  stepsPerEpoch,
  traceTraining,
  train,
} from "@fewnorm/train";
import { loadStateDict } from "@fewnorm/train/node";
import test from "tape";
import { tinyDataset, tinyModel } from "./tiny.ts";

const wrong = (value: unknown) => value as never;

test("options that are none, or are misspelt, are refused", (t) => {
  const cases: [() => unknown, RegExp][] = [
    [() => sgd(wrong(0.9)), /sgd: the options are 0\.9; .*momentum, nesterov, weightDecay, decays/],
    [() => sgd(wrong({ weigthDecay: 1 })), /sgd: there is no option "weigthDecay"; .*weightDecay/],
    [() => adamw(wrong({ beta: 0.9 })), /adamw: there is no option "beta"; .*betas/],
    [() => lars(wrong({ decays: true })), /lars: there is no option "decays"; .*adapts/],
    [() => sgd({ nesterov: wrong("false") }), /sgd: nesterov is "false"; give true or false/],
    [() => sgd({ momentum: wrong("0.9") }), /sgd: momentum is "0.9"; give a number/],
    [() => adamw({ betas: wrong(0.9) }), /adamw: betas is 0.9; give an array/],
    [
      () => adamw({ betas: wrong(["0.9", 0.999]) }),
      /adamw: the first of betas is "0.9"; give a nu/,
    ],
    [() => clipped(sgd(), wrong("1")), /clipped: maxNorm is "1"; give a number/],
    [() => averaged(sgd(), wrong("0.9")), /averaged: decay is "0.9"; give a number/],
    [() => constant(wrong("0.1")), /constant: rate is "0.1"; give a number/],
    [() => clipped(wrong(1), 1), /clipped: optimizer is 1; give one, such as sgd\(\)/],
    [() => averaged(wrong(sgd)), /averaged: optimizer is a function; give one, such as sgd\(\)/],
    [() => classification(wrong(0.1)), /classification: the options are 0\.1; .*labelSmoothing/],
    [() => mixup(classification(), wrong(0.2)), /mixup: the options are 0\.2; .*alpha/],
    [
      () => mixup(wrong({ alpha: 0.2 })),
      /mixup: the first argument is another object; .*an objective/,
    ],
    [() => stepDecay(wrong(0.1)), /stepDecay: the options are 0\.1; .*base, milestones/],
    [() => cosine(wrong({ base: 1, epochs: 4 })), /cosine: there is no option "epochs"; .*steps/],
  ];
  for (const [make, message] of cases) {
    t.throws(make, message);
    t.throws(make, TypeError);
  }
  t.end();
});

test("arguments of a training that are none are refused", async (t) => {
  const backend = createReferenceBackend();
  const model = tinyModel();
  const trainer = (options: unknown) => () => createTrainer(backend, model, wrong(options));
  const none = wrong(undefined);
  const known = await createTrainer(backend, model, { batch: 4 });
  const trained = (options: object) => () =>
    train(known, tinyDataset(), wrong({ epochs: 1, schedule: constant(0.1), ...options })).next();
  const rate = { epochs: 1, schedule: constant(0.1) };
  const cases: [() => Promise<unknown>, RegExp][] = [
    [trainer(undefined), /createTrainer: the options are undefined; .*batch, micro/],
    [trainer({ batchSize: 32 }), /createTrainer: there is no option "batchSize"; .*batch,/],
    [trainer({ batch: 4, optimizer: "sgd" }), /createTrainer: optimizer is "sgd"; .*sgd\(\)/],
    [trainer({ batch: 4, objective: {} }), /createTrainer: objective is another object/],
    [() => createTrainer(wrong("wasm"), model, { batch: 4 }), /createTrainer: backend is "wasm"/],
    [() => createTrainer(backend, none, { batch: 4 }), /createTrainer: model is undefined/],
    [() => train(known, none, none).next(), /train: the options are undefined; .*epochs, schedule/],
    [() => train(known, none, wrong({ epoch: 2 })).next(), /train: there is no option "epoch"/],
    [
      () => train(known, none, wrong({ prefetch: "no" })).next(),
      /train: prefetch is "no"; give true or false/,
    ],
    [() => train(none, none, wrong({})).next(), /train: trainer is undefined/],
    // Not awaited, or one of its halves.
    [
      () => train(known, wrong(Promise.resolve(tinyDataset())), rate).next(),
      /train: dataset is another object; give a data set, such as await loadEmbedded\(\)/,
    ],
    [() => train(known, wrong(tinyDataset().train), rate).next(), /train: dataset is another obj/],
    [async () => stepsPerEpoch(none, 4), /train: dataset is undefined; give a data set/],
    [() => known.write(wrong("fc.weight")), /write: tensors is "fc.weight"; give a Map of tensors/],
    [
      () => createTrainer(backend, { ...model, logits: () => none }, { batch: 4 }),
      /tiny: logits returned undefined; return a tensor, \[N, classes\]/,
    ],
    [trained({ signal: new AbortController() }), /train: signal is another object; give an Abort/],
    [trained({ resume: Promise.resolve() }), /train: resume is another object; .*await readCheck/],
    [trained({ resume: "runs/first" }), /train: resume is "runs\/first"; give what readCheckpoint/],
    [trained({ settings: { clip: Infinity } }), /train: settings.clip is Infinity; give a string/],
    [trained({ notes: { of: {} } }), /train: notes.of is another object; give a string, a finite/],
    [trained({ initial: {} }), /train: initial is another object; give a Map of tensors/],
    [
      () => evaluate(known, none, wrong({ signal: 1 })),
      /evaluate: signal is 1; give an AbortSignal/,
    ],
    [() => readStateDict(wrong("file"), model), /readStateDict: file is "file"; .*openSafetensors/],
    [() => loadStateDict("file", wrong(model)), /loadStateDict: trainer is another object; give/],
    [
      async () => traceTraining(model, wrong({ batch: 4 })),
      /traceTraining: optimizer is undefined/,
    ],
    [() => evaluate(known, none, none), /evaluate: the options are undefined; .*dataset, signal/],
    [() => recalibrate(backend, model, none, none, none), /recalibrate: .*dataset.*batches/],
    [
      () => evaluateWithBatchStatistics(backend, model, none, none, wrong({ batches: 2 })),
      /evaluateWithBatchStatistics: there is no option "batches"; .*batch/,
    ],
    [() => readStateDict(none, model, "it", wrong(true)), /readStateDict: .*true; .*averages/],
  ];
  for (const [make, message] of cases) {
    const error = await make().catch((reason: unknown) => reason);
    t.match(String(error), message);
    t.ok(error instanceof TypeError);
  }
  await known.dispose();
  await backend.dispose();
  t.end();
});
