// The models zoo: one file for each family.
export type { ModelOptions } from "./classifier.ts";
export { type DenseNetOptions, densenet } from "./densenet.ts";
export {
  type ImagenetResNetDepth,
  type ImagenetResNetOptions,
  imagenetResnet,
} from "./imagenet-resnet.ts";
export { lenet } from "./lenet.ts";
export { type MobileNetOptions, mobilenetV2 } from "./mobilenet.ts";
export {
  type PreActivationResNetOptions,
  preActivationResnet,
  type WideResNetOptions,
  wideResnet,
} from "./pre-activation.ts";
export { type ResNetDepth, type ResNetOptions, resnet } from "./resnet.ts";
export { type LayerSummary, type ModelSummary, summarize } from "./summary.ts";
export { type VggOptions, vgg } from "./vgg.ts";
