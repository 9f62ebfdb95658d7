// Evaluates a traced function in float64 on the reference.

import { createReferenceBackend } from "@fewnorm/backend-reference";
import { type Builder, type Graph, type HostValue, type Tensor, trace } from "@fewnorm/tensor";

/** Traces `body`, whose record of tensors becomes the outputs, and runs it on `feeds`. */
export async function evaluate(
  body: (builder: Builder) => Readonly<Record<string, Tensor | undefined>>,
  feeds: Readonly<Record<string, HostValue>> = {},
): Promise<{ graph: Graph; values: Readonly<Record<string, number[]>> }> {
  const graph = trace((builder) => {
    for (const [name, tensor] of Object.entries(body(builder))) {
      if (tensor !== undefined) builder.output(name, tensor);
    }
  });
  const backend = createReferenceBackend();
  const used = Object.entries(feeds).filter(([name]) => Object.hasOwn(graph.inputs, name));
  const results = await (await backend.compile(graph)).run(Object.fromEntries(used));
  await backend.dispose();
  const entries = Object.entries(results).map(([name, { data }]) => [name, Array.from(data)]);
  return { graph, values: Object.fromEntries(entries) };
}
