// State dicts as files, for Node.

import { openSafetensorsFile, writeSafetensors } from "@fewnorm/safetensors/node";
import { checkMethod } from "@fewnorm/tensor";
import { weightsFile } from "./checkpoint-files.ts";
import { modelMetadata, readStateDict, stateDictOf, writeStateDict } from "./state-dict.ts";
import type { Trainer } from "./trainer.ts";

/**
 * Replaces a trainer's parameters and running statistics by those in a safetensors file, or in the newest checkpoint of
 * a training's folder.
 * @throws Error as `openSafetensors` and `readStateDict`, TypeError for what is no trainer; nothing has changed then.
 */
export async function loadStateDict(path: string, trainer: Trainer): Promise<void> {
  checkMethod("loadStateDict", "trainer", trainer, "write", "what createTrainer makes");
  const where = await weightsFile(path);
  const file = await openSafetensorsFile(where);
  try {
    await writeStateDict(trainer, await readStateDict(file, trainer.model, where));
  } finally {
    await file.dispose();
  }
}

/**
 * Writes a trainer's parameters and running statistics to a safetensors file, in float32 and by PyTorch's
 * names: `load_state_dict(load_file(path))` takes it as it is.
 * @param metadata strings to keep beside the model's name, image shape and classes
 * @throws Error when the file cannot be written; an old one is whole then.
 */
export async function saveStateDict(
  path: string,
  trainer: Trainer,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const all = { ...modelMetadata(trainer.model), ...metadata };
  await writeSafetensors(path, await stateDictOf(trainer), { metadata: all });
}
