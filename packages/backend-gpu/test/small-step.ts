// The smallest training step: one state, which every run changes.

import type { Backend, Executable, State } from "@fewnorm/backend";
import { add, conv2d, key, mean, multiply, normal, trace } from "@fewnorm/tensor";

/** w ← w + mean(x ∗ w) / 8. */
export const graph = trace((builder) => {
  const [x, w] = [builder.input("x", [2, 3, 6, 6]), builder.state("w", [4, 3, 3, 3])];
  const y = mean(conv2d(x, w, { padding: 1 }));
  builder.output("y", y);
  builder.update("w", add(w, multiply(y, 0.125)));
});

export const specs = [{ name: "w", shape: [4, 3, 3, 3] }];
export const x = Float32Array.from(normal(key(1), 216));
export const weights = Float32Array.from(normal(key(2), 108));

export async function prepare<T extends Executable>(
  backend: Omit<Backend, "compile"> & {
    compile(...given: Parameters<Backend["compile"]>): Promise<T>;
  },
): Promise<{ readonly state: State; readonly executable: T }> {
  const state = await backend.createState(specs);
  await state.write("w", weights);
  return { state, executable: await backend.compile(graph, state) };
}
