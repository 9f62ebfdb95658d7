// Slopes of a block's loss along random directions: measured, and from the gradients.

import { key, normal } from "@fewnorm/tensor";
import { type BlockSpec, type compileBlock, randomOperands } from "./block.ts";

/** ∂loss/∂direction by central differences, and from the gradients. */
export async function directional(
  spec: BlockSpec,
  run: Awaited<ReturnType<typeof compileBlock>>,
  operand: string,
  seed: number,
): Promise<{ measured: number; derived: number }> {
  const operands = randomOperands(spec, key(7));
  const direction = normal(key(seed), (operands[operand] as Float64Array).length);
  const h = 1e-6;
  const at = async (step: number) => {
    const moved = (operands[operand] as Float64Array).map(
      (value, i) => value + step * (direction[i] as number),
    );
    return run({ ...operands, [operand]: moved });
  };
  const [ahead, behind, here] = [await at(h), await at(-h), await at(0)];
  const gradient = here[`grad:${operand}`] as ArrayLike<number>;
  let derived = 0;
  for (let i = 0; i < direction.length; i++) {
    derived += (gradient[i] as number) * (direction[i] as number);
  }
  const measured = ((ahead.loss?.[0] as number) - (behind.loss?.[0] as number)) / (2 * h);
  return { measured, derived };
}
