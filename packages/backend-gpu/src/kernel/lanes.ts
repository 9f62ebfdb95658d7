// Kernels whose threads compute several elements each, lane by lane: of some channels, so that what is read of an image is
// read once for all, and of some rows of the map, side by side (or, of weights, input channels, far apart), so that weights
// are, too. gpu.js has no such kernels. Ours return one lane, and the text that gpu.js makes of them for WebGPU is changed
// so that it stores all.

import { type Shape, sizeOf, stridesOf } from "@fewnorm/tensor";
import type { Sizes } from "../sizes.ts";
import { MOST_COUNTED } from "./threads.ts";

/** The axes along which lanes lie: a result's second and third. */
export type LaneAxis = "A" | "B";

/** How many lanes there are along each axis. */
export type Lanes = Readonly<Record<LaneAxis, number>>;

export const oneLane: Lanes = { A: 1, B: 1 };

/** Those of a list such as "4x4 4x2". */
const choicesOf = (list: string): readonly Lanes[] =>
  list.split(" ").map((one) => {
    const [A = 1, B = 1] = one.split("x").map(Number);
    return { A, B };
  });

/** What kernels of enough elements may have, the fewest reads for each product first: those of weights. */
const choices = choicesOf("4x4 4x2 2x4 2x2 4x1 1x4 2x1 1x2");

/** Those of maps, where lanes side by side read the same rows. */
const mapChoices = choicesOf("2x8 2x7 4x4 1x14 2x4 1x8 1x7 4x2 1x4 2x2 1x2 4x1 2x1");

/** Whether a result of this shape is a map, of which lanes compute rows side by side. */
const isMap = (shape: Shape): boolean => shape.length === 4;

/** How far apart lanes along an axis lie, in its elements. */
export function stepOf(axis: LaneAxis, lanes: Lanes, shape: Shape): number {
  if (axis === "B" && isMap(shape)) return 1;
  return (shape[axis === "A" ? 1 : 2] as number) / lanes[axis];
}

/** The lanes of a convolution's or its gradients' result, of which rows so far apart are computed by the same taps. */
export function lanesFor(shape: Shape, apart: number, sizes: Sizes): Lanes {
  const { laneElements, laneThreads } = sizes;
  const [n = 1, a = 1, b = 1] = shape;
  const size = sizeOf(shape);
  if (shape.length < 4 || n >= 2 ** 16 || size < laneElements) return oneLane;
  const fits = ({ A, B }: Lanes) => {
    const threads = size / (A * B);
    return a % A === 0 && b % B === 0 && threads >= laneThreads && threads <= MOST_COUNTED;
  };
  const fitting = (isMap(shape) ? mapChoices : choices).filter(fits);
  return fitting.find(({ B }) => B % apart === 0) ?? fitting[0] ?? oneLane;
}

/** Along which axes a text differs: `A`, `B`, `AB`, or nothing. It has names that end so, or numbers of each lane. */
export function axesOf(text: string): string {
  const has = (axis: RegExp): boolean => axis.test(text);
  const alongA = has(/\b[tv]\d+AB?\b|\blane\(-?\d+, [1-9]/);
  const alongB = has(/\b[tv]\d+A?B\b|\blane\(-?\d+, \d+, [1-9]|\bpick\(/);
  return `${alongA ? "A" : ""}${alongB ? "B" : ""}`;
}

/** What a lane picks where there is nothing to pick: its line is left out. */
export const NO_PICK = "none";

/** The text of each lane in which it differs. */
export function lanesOf(text: string, lanes: Lanes): string[] {
  const axes = axesOf(text);
  if (axes === "") return [text];
  const range = (axis: LaneAxis) => [...Array(axes.includes(axis) ? lanes[axis] : 1).keys()];
  const texts = range("A").flatMap((a) => range("B").map((b) => laneOf(text, a, b)));
  return texts.filter((one) => one !== "");
}

/** The text of one lane: t5A is t5a0, t5a1, …, lane(c, d, e) is c, c + d or c + e, …, and pick(x, y) is x along B, then y. */
const laneOf = (text: string, a: number, b: number): string =>
  text
    .replaceAll(/\bpick\(([^)]*)\)/g, (_, values: string) => values.split(", ")[b] as string)
    .replaceAll(new RegExp(`^.*\\b${NO_PICK}\\b.*\n?`, "gm"), "")
    .replaceAll(/\b([tv]\d+)(A?)(B?)\b/g, (_, name, alongA, alongB) =>
      [name, alongA && `a${a}`, alongB && `b${b}`].join(""),
    )
    .replaceAll(/( \+ )?\blane\((-?\d+), (\d+), (\d+)\)/g, (_, plus, constant, stepA, stepB) => {
      const value = Number(constant) + a * Number(stepA) + b * Number(stepB);
      if (plus === undefined) return String(value);
      // gpu.js takes a sum with 0 for no index.
      return value === 0 ? "" : ` ${value < 0 ? "-" : "+"} ${Math.abs(value)}`;
    });

/**
 * The end of a kernel: where the first lane's element lies, and each lane's value, under names that tell how many lanes
 * there are and how far from the first one theirs lies.
 */
export function returnLanes(value: string, first: string, lanes: Lanes, shape: Shape): string {
  const [, strideA = 1, strideB = 1] = stridesOf(shape);
  const [stepA, stepB] = [stepOf("A", lanes, shape), stepOf("B", lanes, shape)];
  const values: string[] = [];
  for (let i = 0; i < lanes.A; i++) {
    for (let j = 0; j < lanes.B; j++) {
      const apart = i * stepA * strideA + j * stepB * strideB;
      values.push(`const at${apart} = ${laneOf(value, i, j)};`);
    }
  }
  return [`const first${lanes.A}x${lanes.B} = ${first};`, ...values, "return at0;"].join("\n");
}

/**
 * The text of a kernel for WebGPU, with a thread for each element: the first threads compute all lanes, others nothing.
 * A text without lanes stays as it is.
 * @throws Error where it is not what gpu.js makes of such a kernel.
 */
export function storeLanes(code: string): string {
  const [, prefix = "", A = 1, B = 1] = /\b(\w*)first(\d+)x(\d+)\b/.exec(code) ?? [];
  if (prefix === "") return code;
  const aparts = [...code.matchAll(new RegExp(`^var ${prefix}at(\\d+) `, "gm"))].map(([, apart]) =>
    Number(apart),
  );
  const stores = aparts.map((apart) => `result[first + ${apart}] = ${prefix}at${apart};`);
  const replacements = [
    [/(\bflat_index >= params\.outputX)\b/, `$1 / ${Number(A) * Number(B)}u`],
    [new RegExp(`\\bvar ${prefix}first${A}x${B} : f32 = f32\\((.*)\\);`), "let first : i32 = $1;"],
    [`result[data_index] = ${prefix}at0;`, stores.join("\n")],
  ] as const;
  let text = code;
  for (const [from, to] of replacements) {
    const changed = text.replace(from, to);
    if (changed === text || stores.length !== Number(A) * Number(B)) {
      throw new Error(`this version of gpu.js writes kernels in another way:\n${code}`);
    }
    text = changed;
  }
  return text;
}
