// The norm that a configuration asks for.

import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { loadStrategy } from "@fewnorm/command-line";
import { batchNorm, type Norm } from "@fewnorm/norm";
import { parseNorm } from "@fewnorm/presets";
import type { Config } from "./config.ts";

/**
 * The norm of `--norm`, or batch normalization with the strategy of `--strategy`, whose name the configuration then has.
 * @throws Error for what there is not.
 */
export async function resolveNorm(config: Config): Promise<{ config: Config; norm: Norm }> {
  const { strategy } = config;
  if (strategy === undefined) return { config, norm: parseNorm(config.norm) };
  const sampling = await loadStrategy(strategy, process.cwd());
  // A checkpoint remembers it, and a training may go on elsewhere.
  const path = resolve(strategy);
  const isPath = await stat(path).then(
    () => true,
    () => false,
  );
  return {
    config: { ...config, norm: sampling.name, strategy: isPath ? path : strategy },
    norm: batchNorm({ sampling }),
  };
}
