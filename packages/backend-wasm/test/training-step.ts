// A small training step whose results threads must agree on.

import { createWasmBackend, type Simd } from "@fewnorm/backend-wasm";
import {
  type Builder,
  conv2d,
  type Graph,
  grad,
  key,
  mean,
  moments,
  multiply,
  normal,
  normalize,
  row,
  type Tensor,
  trace,
} from "@fewnorm/tensor";

const SPECS = [
  { name: "w", shape: [16, 3, 3, 3] },
  { name: "u", shape: [16, 16, 3, 3] },
  { name: "v", shape: [24, 16, 3, 3] },
];

/** One training step of three convolutions with a normalization after the first: the second one is Winograd's. */
function step(batch: number): Graph {
  return trace((builder: Builder) => {
    const x = builder.input("x", [batch, 3, 16, 16]);
    const [w, u, v] = SPECS.map(({ name, shape }) => builder.state(name, shape)) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    const y = conv2d(x, w, { padding: 1 });
    const statistics = moments(y);
    const one = builder.constant(1, [16]);
    const zero = builder.constant(0, [16]);
    const z = normalize(y, row(statistics, 0), one, zero, { relu: true });
    const last = conv2d(conv2d(z, u, { padding: 1 }), v, { stride: 2, padding: 1, relu: true });
    const loss = mean(multiply(last, last));
    builder.output("loss", loss);
    for (const [i, gradient] of grad(loss, [w, u, v]).entries()) {
      builder.output(`gradient ${i}`, gradient);
    }
  });
}

/** The step, twice, on a backend of its own. */
export async function runStep(threads: number, batch: number, simd: Simd | "auto" = "auto") {
  const backend = await createWasmBackend({ threads, simd });
  const state = await backend.createState(SPECS);
  for (const [i, { name, shape }] of SPECS.entries()) {
    const size = shape.reduce((product, length) => product * length, 1);
    await state.write(name, normal(key(i), size));
  }
  const executable = await backend.compile(step(batch), state);
  const x = normal(key(9), batch * 3 * 16 * 16);
  const results = await executable.run({ x });
  const again = await executable.run({ x });
  await backend.dispose();
  return { results, again, description: backend.description };
}
