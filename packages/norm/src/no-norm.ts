// No normalization: convolutions and dense layers with biases.

import { conv2d, denseWeight, zeros } from "@fewnorm/nn";
import { add, conv2d as convolve, relu as rectify, reshape } from "@fewnorm/tensor";
import { checkLayer } from "./checks.ts";
import type { Norm } from "./norm.ts";

/** The network without normalization; every layer that would be normalized has a bias instead. */
export function noNorm(): Norm {
  return {
    name: "none",
    virtualImages: undefined,
    layer(scope, name, x, epilogue = {}) {
      checkLayer(scope, name, x, epilogue);
      const { residual, relu = false } = epilogue;
      const sum = residual === undefined ? x : add(x, residual);
      return relu ? rectify(sum) : sum;
    },
    conv2d: (scope, names, x, options) =>
      conv2d(scope, names.linear, x, { ...options, bias: true }),
    dense(scope, names, x, options) {
      const inner = scope.at(names.linear);
      const weight = denseWeight(inner, x, options);
      const [n = 1, inputs = 1] = x.shape;
      const { units, residual, relu = false } = options;
      const bias = inner.parameter("bias", [units], zeros);
      const y = scope.builder.labelled(inner.path, () =>
        convolve(reshape(x, [n, inputs, 1, 1]), reshape(weight, [units, inputs, 1, 1]), {
          bias,
          residual: residual && reshape(residual, [n, units, 1, 1]),
          relu,
        }),
      );
      return reshape(y, [n, units]);
    },
  };
}
