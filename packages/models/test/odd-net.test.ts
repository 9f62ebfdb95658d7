// A network of odd sizes, where every kernel has a remainder.

import { dense, globalAveragePool, type Model } from "@fewnorm/nn";
import { batchNorm, type Norm } from "@fewnorm/norm";
import { agreesWithPyTorch, float64, wasm } from "./agreement.ts";

function oddNet(norm: Norm): Model {
  const names = (i: number) => ({ linear: `conv${i}`, norm: `bn${i}` });
  return {
    name: "odd net",
    inputShape: [3, 19, 23],
    classes: 7,
    logits(scope, images) {
      const layer = (i: number, x: typeof images, options: Parameters<Norm["conv2d"]>[3]) =>
        norm.conv2d(scope, names(i), x, { ...options, relu: true });
      const a = layer(1, images, { channels: 17, kernel: 7, padding: [3, 2] });
      const b = layer(2, a, { channels: 17, kernel: 5, padding: 2, residual: a });
      const c = layer(3, b, { channels: 33, kernel: 5, stride: [2, 3], padding: [1, 2] });
      const d = layer(4, c, { channels: 17, kernel: [7, 3], stride: 2, padding: [3, 0] });
      return dense(scope, "fc", globalAveragePool(d), { units: 7 });
    },
  };
}

agreesWithPyTorch({
  file: "odd-net.json",
  network: "bn",
  model: oddNet(batchNorm()),
  engines: [float64, wasm(1), wasm(2)],
});
