// The command from its arguments to its exit status.

import { formatTable } from "@fewnorm/command-line";
import { type LayerSummary, summarize } from "@fewnorm/models";
import { modelNames, parseModel, parseNorm } from "@fewnorm/presets";
import { type Arguments, parseArguments } from "./arguments.ts";

/**
 * Runs the command and returns its exit status.
 * @throws Error with a message for the user: a usage error where the command line is at fault.
 */
export function run(argv: readonly string[]): number {
  const parsed = parseArguments(argv);
  const { names } = parsed;
  const parts =
    names.length === 0 ? [overview(parsed)] : names.map((name) => details(name, parsed));
  process.stdout.write(parts.join("\n"));
  return 0;
}

/** All models, a line each, and below it why some cannot be had so. @throws Error when none can. */
function overview(options: Arguments): string {
  const problems: Error[] = [];
  const rows = modelNames.map((name) => {
    let made: ReturnType<typeof summaryOf>;
    try {
      made = summaryOf(name, options);
    } catch (error) {
      problems.push(error as Error);
      return [name, ...Array<string>(6).fill("–")];
    }
    const { model, summary } = made;
    const { parameters, flops, activationBytes, layers } = summary;
    const size = [model.inputShape.join("×"), `${model.classes}`];
    const needs = [`${layers.length}`, grouped(parameters), grouped(flops / 1e6)];
    return [name, ...size, ...needs, mebibytes(activationBytes)];
  });
  const head = ["model", "image", "classes", "layers", "parameters", "Mflop", "kept MiB"];
  if (problems.length === modelNames.length) throw problems[0];
  const lines = problems.map(({ message }) => `${message}\n`);
  return `${formatTable(head, rows)}\n${lines.join("")}${footnote(options)}`;
}

/** One model, layer by layer. */
function details(name: string, options: Arguments): string {
  const { model, summary } = summaryOf(name, options);
  const { layers, parameters, flops, activationBytes } = summary;
  const rows = layers.map((layer) => [
    nameOf(layer),
    layer.shape.join("×"),
    grouped(layer.parameters),
    (layer.flops / 1e6).toFixed(2),
  ]);
  const total = ["total", "", grouped(parameters), (flops / 1e6).toFixed(2)];
  const title = `${name} with ${options.norm}, ${model.classes} classes, images of ${model.inputShape.join("×")}`;
  const kept = `Training keeps ${mebibytes(activationBytes)} MiB of each image.`;
  const head = ["layer", "result", "parameters", "Mflop"];
  return `${title}\n${formatTable(head, [...rows, total])}\n${kept}\n${footnote(options)}`;
}

/** @throws Error that names the model, where norm, image or batch do not fit it. */
function summaryOf(name: string, { norm, batch, sizes }: Arguments) {
  try {
    const model = parseModel(name)({ norm: parseNorm(norm), ...sizes });
    return { model, summary: summarize(model, { batch }) };
  } catch (error) {
    throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
  }
}

/** `layer1.0.conv1 + bn1`: the owners of the layer's states, their common path once. */
function nameOf({ name, owners: [first, ...others] }: LayerSummary): string {
  if (first === undefined) return name;
  const path = first.slice(0, first.lastIndexOf(".") + 1);
  const rest = others.map((owner) => (owner.startsWith(path) ? owner.slice(path.length) : owner));
  return [first, ...rest].join(" + ");
}

function footnote({ norm, batch }: Arguments): string {
  return `Flops of one image's forward pass, a multiply-add being two. Memory is what training with ${norm} and a batch of
${batch} keeps for the gradient, divided by the batch, in float32.
`;
}

const grouped = (count: number): string => Math.round(count).toLocaleString("en-US");

const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(2);
