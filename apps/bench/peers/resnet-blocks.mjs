// The residual blocks of a CIFAR ResNet, read off the names and shapes of its parameters.

/**
 * @returns {{ path: string, stride: number, added: number }[]} `added`: by how many channels a block widens; none
 * where the job is a layer alone
 */
export function blocksOf(tensors) {
  const blocks = [];
  let [channels] = tensors.get("conv1.weight")?.shape ?? [];
  for (let stage = 1; stage <= 3; stage++) {
    for (let block = 0; tensors.has(`layer${stage}.${block}.conv1.weight`); block++) {
      const path = `layer${stage}.${block}`;
      const [wider] = tensors.get(`${path}.conv1.weight`).shape;
      blocks.push({ path, stride: stage > 1 && block === 0 ? 2 : 1, added: wider - channels });
      channels = wider;
    }
  }
  return blocks;
}
