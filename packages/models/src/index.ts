// The models zoo: one file for each family.
export { type ResNetDepth, type ResNetOptions, resnet } from "./resnet.ts";
