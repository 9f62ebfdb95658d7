// Weight standardization: convolutions whose filters have mean 0 and variance 1, whatever norm follows.

import type { Scope } from "@fewnorm/nn";
import { checkMethod, checkOptions } from "@fewnorm/tensor";
import { checkEpsilon, checkValues } from "./checks.ts";
import type { Norm } from "./norm.ts";
import { rowMean, standardize } from "./standardize.ts";

/** Options of {@link weightStandardization}. */
export interface WeightStandardizationOptions {
  /** ε, added to a filter's variance. Default 1e-5. */
  readonly epsilon?: number;
}

/**
 * `norm`, behind convolutions with weight standardization (Qiao et al., arXiv 1903.10520): each filter W
 * of `norm.conv2d` is replaced by (W − mean)/√(variance + ε) over its inputs and pixels. The parameter is
 * W, and the gradient passes through. Dense layers stay as they are.
 * @throws RangeError for options out of range; when a model is traced, for filters of one weight.
 */
export function weightStandardization(
  norm: Norm,
  options: WeightStandardizationOptions = {},
): Norm {
  checkMethod("weightStandardization", "norm", norm, "layer", "one, such as groupNorm()");
  checkOptions("weightStandardization", options, { epsilon: "number" });
  const { epsilon = 1e-5 } = options;
  checkEpsilon("weightStandardization", epsilon);

  /** The scope of a convolution, whose weight is handed out standardized. */
  const standardized = (inner: Scope): Scope => ({
    ...inner,
    parameter(name, shape, initialize) {
      const parameter = inner.parameter(name, shape, initialize);
      if (name !== "weight") return parameter;
      const inputs = shape.slice(1).reduce((size, length) => size * length, 1);
      checkValues(inner.path, shape, inputs, "leave out ws+");
      return inner.builder.labelled(
        inner.path,
        () => standardize(parameter, rowMean, epsilon).normalized,
      );
    },
  });

  return {
    name: `ws+${norm.name}`,
    virtualImages: norm.virtualImages,
    layer: (scope, name, x, epilogue) => norm.layer(scope, name, x, epilogue),
    dense: (scope, names, x, dense) => norm.dense(scope, names, x, dense),
    ...(norm.calibration === undefined
      ? {}
      : { calibration: () => weightStandardization(norm.calibration?.() ?? norm, options) }),
    conv2d(scope, names, x, spec) {
      const around: Scope = {
        ...scope,
        at: (name) => (name === names.linear ? standardized(scope.at(name)) : scope.at(name)),
      };
      return norm.conv2d(around, names, x, spec);
    },
  };
}
