// How many threads begin together. A GPU begins about one workgroup in each cycle, and gpu.js's have 64 threads: where
// each of many threads does little, their beginning is what takes time. Such kernels carry a mark, by which the text that
// gpu.js makes of them for WebGPU is changed so that workgroups are four times as large.

import type { Kernel } from "./kernel.ts";

const MARK = "inLargeWorkgroups";

/** A statement for a kernel's text. */
export const largeWorkgroups = `const ${MARK} = 1;`;

/**
 * The text of a kernel for WebGPU; without the mark, it stays as it is.
 * @throws Error where it is not what gpu.js makes of such a kernel.
 */
export function enlargeWorkgroups(code: string): string {
  if (!code.includes(MARK)) return code;
  const changed = code
    .replace("@workgroup_size(64, 1, 1)", "@workgroup_size(256, 1, 1)")
    .replace("@workgroup_size(8, 8, 1)", "@workgroup_size(32, 8, 1)");
  if (changed === code) {
    throw new Error(`this version of gpu.js writes kernels in another way:\n${code}`);
  }
  return changed;
}

/**
 * The workgroups along x, y and z that a kernel needs of those that gpu.js would begin: of larger ones a quarter, and of
 * threads of which the first compute several elements each, those that they are in.
 */
export function workgroupsOf(
  { lanes, isLarge }: Pick<Kernel, "lanes" | "isLarge">,
  [x = 1, y = 1, z = 1]: readonly number[],
): [x: number, y: number, z: number] {
  if (isLarge) return [Math.ceil(x / 4), y, z];
  if (lanes === 1) return [x, y, z];
  const needed = Math.ceil((x * y) / lanes);
  return needed <= x ? [needed, 1, 1] : [x, Math.ceil(needed / x), 1];
}
