// Names such as resnet20, bs:4 or wasm, and the models, norms and backends they stand for.

export { type BackendOptions, backendNames, parseBackend } from "./backends.ts";
export { modelNames, parseModel } from "./models.ts";
export { type NormForm, normForms, parseNorm, parseSampling } from "./norms.ts";
export { nearestName, unknownName, withChoices } from "./unknown-name.ts";
