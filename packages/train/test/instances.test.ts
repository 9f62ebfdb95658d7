// Contracts are kept by plain objects and by instances of classes alike, whose methods need their `this`.

import { drawAll, type Model } from "@fewnorm/nn";
import { batchNorm, groupNorm, type Norm, weightStandardization } from "@fewnorm/norm";
import type { Strategy } from "@fewnorm/sampling";
import { virtualDataset } from "@fewnorm/sampling-virtual";
import { type Graph, key } from "@fewnorm/tensor";
import { clipped, type Optimizer, sgd, traceMicroTraining, traceTraining } from "@fewnorm/train";
import test from "tape";
import { residualModel } from "./tiny.ts";

/** An instance with the properties of `plain` whose methods are its class's and call those of `plain` through `this`. */
function instanceOf<T extends object>(plain: T): T {
  class Instance {
    readonly inner = plain;
  }
  for (const [name, value] of Object.entries(plain)) {
    const method = {
      value(this: Instance, ...args: unknown[]) {
        return Reflect.apply(value, this.inner, args);
      },
    };
    Object.defineProperty(
      Instance.prototype,
      name,
      typeof value === "function" ? method : { value },
    );
  }
  return new Instance() as unknown as T;
}

const graphOf = ({ traced }: { readonly traced: { readonly graph: Graph } }) => traced.graph;

test("models, norms, strategies and optimizers may be instances of classes", (t) => {
  const strategy: Strategy = virtualDataset({ images: 2 });
  const cases: [string, Norm, Norm][] = [
    ["bn", batchNorm(), instanceOf(batchNorm())],
    ["vdn", batchNorm({ sampling: strategy }), batchNorm({ sampling: instanceOf(strategy) })],
    [
      "ws+gn",
      weightStandardization(groupNorm({ groups: 2 })),
      weightStandardization(instanceOf(groupNorm({ groups: 2 }))),
    ],
  ];
  for (const [name, plainNorm, norm] of cases) {
    const optimizer = clipped(sgd(), 1);
    const own: Optimizer = clipped(instanceOf(sgd()), 1);
    const plain: Model = residualModel(plainNorm);
    const model = instanceOf(residualModel(norm));
    const expected = traceTraining(plain, { batch: 4, optimizer });
    const traced = traceTraining(model, { batch: 4, optimizer: own });
    t.deepEqual(traced.graph, expected.graph, `${name}: the same graph`);
    t.deepEqual(
      drawAll(traced.draws, key(1)),
      drawAll(expected.draws, key(1)),
      `${name}: the same draws`,
    );
    t.deepEqual(
      traceMicroTraining(model, { batch: 4, micro: 2, optimizer: own }).micro.map(graphOf),
      traceMicroTraining(plain, { batch: 4, micro: 2, optimizer }).micro.map(graphOf),
      `${name}: the same graph of a micro-batch`,
    );
  }
  t.end();
});
