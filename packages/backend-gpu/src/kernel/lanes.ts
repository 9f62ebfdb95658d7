// Kernels whose threads compute an element of several channels each, lane by lane, so that what is read of an image is read
// once for all. gpu.js has no such kernels. Ours return lane 0, and the text that gpu.js makes of them for WebGPU is changed
// so that it stores all.

import { type Shape, sizeOf } from "@fewnorm/tensor";

/** Whether a text is one for each lane: it has a name that ends in L, or a number that differs from lane to lane. */
export const isLaned = (text: string): boolean => /\b[tv]\d+L\b|\blane\(/.test(text);

/** The text of each lane: t5L is t5x0, t5x1, …, and lane(c, d) is c, c + d, …. */
export const lanesOf = (text: string, lanes: number): string[] =>
  Array.from({ length: lanes }, (_, lane) =>
    text
      .replaceAll(/\b([tv]\d+)L\b/g, `$1x${lane}`)
      .replaceAll(/( \+ )?\blane\((-?\d+), (\d+)\)/g, (_all, plus, constant, step) => {
        const value = Number(constant) + lane * Number(step);
        if (plus === undefined) return String(value);
        // gpu.js takes a sum with 0 for no index.
        return value === 0 ? "" : ` ${value < 0 ? "-" : "+"} ${Math.abs(value)}`;
      }),
  );

/** The end of a kernel: each lane's value, under a name that tells how many there are and how far apart they are stored. */
export function returnLanes(value: string, lanes: number, shape: Shape): string {
  const apart = sizeOf(shape.slice(1)) / lanes;
  const values = lanesOf(value, lanes).map(
    (one, lane) => `const ${nameOf(lane, lanes, apart)} = ${one};`,
  );
  return [...values, `return ${nameOf(0, lanes, apart)};`].join("\n");
}

const nameOf = (lane: number, lanes: number, apart: number): string => `r${lane}x${lanes}x${apart}`;

/**
 * The text of a kernel for WebGPU, with a thread for each element: the first threads compute all lanes, others nothing.
 * A text without lanes stays as it is.
 * @throws Error where it is not what gpu.js makes of such a kernel.
 */
export function storeLanes(code: string): string {
  const [, name = "", ...numbers] = /\b(\w*r)0x(\d+)x(\d+)\b/.exec(code) ?? [];
  if (name === "") return code;
  const [lanes = 1, apart = 1] = numbers.map(Number);
  const isFlat = code.includes("flat_index");
  const first = isFlat
    ? `data_index + data_index / ${apart} * ${apart * (lanes - 1)}`
    : "data_index";
  const stores = Array.from(
    { length: lanes },
    (_, lane) => `result[first_lane + ${lane * apart}] = ${name}${lane}x${lanes}x${apart};`,
  );
  let replaced = 0;
  const replace = (text: string, from: string, to: string): string => {
    if (text.includes(from)) replaced++;
    return text.replace(from, to);
  };
  const guard = isFlat ? "flat_index >= params.outputX" : "gid.y >= params.outputY";
  const guarded = replace(code, guard, `${guard} / ${lanes}u`);
  const stored = replace(
    guarded,
    `result[data_index] = ${name}0x${lanes}x${apart};`,
    `let first_lane : i32 = ${first};\n${stores.join("\n")}`,
  );
  if (replaced < 2) {
    throw new Error(`this version of gpu.js writes kernels in another way:\n${code}`);
  }
  return stored;
}
