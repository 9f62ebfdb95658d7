// One rule for each primitive.

import type { Primitive } from "@fewnorm/tensor";
import { arithmeticRules } from "./arithmetic.ts";
import { convolutionRules } from "./convolution.ts";
import { leafRules } from "./leaves.ts";
import { lossRules } from "./loss.ts";
import { matmulRules } from "./matmul.ts";
import { normalizationRules } from "./normalization.ts";
import { poolingRules } from "./pooling.ts";
import { regionRules } from "./regions.ts";
import type { Rules } from "./rule.ts";
import { shapeRules } from "./shapes.ts";
import { sumRules } from "./sums.ts";

export const rules: Rules<Primitive> = {
  ...leafRules,
  ...arithmeticRules,
  ...shapeRules,
  ...sumRules,
  ...convolutionRules,
  ...matmulRules,
  ...poolingRules,
  ...normalizationRules,
  ...regionRules,
  ...lossRules,
};
