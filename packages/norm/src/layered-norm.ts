// A norm from its layer: convolutions and dense layers, as a rule without biases, and the layer behind them.

import { convolutionWeight, denseWeight, geometryOf, type Scope, zeros } from "@fewnorm/nn";
import { convolvedShape, reshape, type Shape, type Tensor } from "@fewnorm/tensor";
import { checkLayer } from "./checks.ts";
import { type Convolution, convolve } from "./folded.ts";
import type { EpilogueOptions, Norm } from "./norm.ts";

/** What {@link layeredNorm} makes a norm from. */
export interface LayeredNormSpec extends Pick<Norm, "name" | "virtualImages" | "layer"> {
  readonly calibration?: Norm["calibration"];
  /**
   * act(norm(x ∗ weight + bias) + residual), where the layer can be more than what follows the convolution;
   * `shape` is the result's.
   */
  readonly behind?: (
    scope: Scope,
    name: string,
    convolution: Convolution,
    shape: Shape,
    epilogue: EpilogueOptions,
  ) => Tensor;
}

/** The norm whose layers are `spec.layer`. Dense layers are 1×1 convolutions of 1×1 maps, which they equal. */
export function layeredNorm(spec: LayeredNormSpec): Norm {
  const { name, virtualImages, layer, calibration } = spec;
  const {
    behind = (scope, norm, convolution, _shape, epilogue) => {
      const { builder } = scope;
      const convolved = builder.labelled(scope.at(norm).path, () => convolve(convolution));
      return layer(scope, norm, convolved, epilogue);
    },
  } = spec;
  return {
    name,
    virtualImages,
    layer(scope, layerName, x, epilogue = {}) {
      checkLayer(scope, layerName, x, epilogue);
      return layer(scope, layerName, x, epilogue);
    },
    ...(calibration === undefined ? {} : { calibration }),
    conv2d(scope, names, x, options) {
      const inner = scope.at(names.linear);
      const weight = convolutionWeight(inner, x, options);
      const bias = options.bias ? inner.parameter("bias", [options.channels], zeros) : undefined;
      const geometry = geometryOf(options);
      const shape = convolvedShape(x.shape, weight.shape, geometry);
      return behind(scope, names.norm, { x, weight, bias, geometry }, shape, options);
    },
    dense(scope, names, x, options) {
      const weight = denseWeight(scope.at(names.linear), x, options);
      const [n = 1] = x.shape;
      const { units, residual, relu } = options;
      const pixels = (tensor: Tensor) => reshape(tensor, [...tensor.shape, 1, 1]);
      const convolution = { x: pixels(x), weight: pixels(weight), geometry: {} };
      const y = behind(scope, names.norm, convolution, [n, units, 1, 1], {
        residual: residual && pixels(residual),
        ...(relu === undefined ? {} : { relu }),
      });
      return reshape(y, [n, units]);
    },
  };
}
