// Which patch has a given number of pixels, as nearly as a patch can.

/** The sides of a patch, in pixels. */
export interface Patch {
  readonly height: number;
  readonly width: number;
}

/**
 * The patch within `map` whose number of pixels is nearest to `target`, of all those with
 * `atLeast` pixels or more. Among equally near ones, the one nearest to a square; of two like
 * 4×8 and 8×4, the wide one, which reads longer runs of memory.
 * @param atLeast At most the map's number of pixels.
 */
export function nearestPatch(map: Patch, target: number, atLeast: number): Patch {
  let best: Patch = map;
  // Heights go up, so the first of two that are equally good is the wide one.
  for (let height = 1; height <= map.height; height++) {
    for (let width = 1; width <= map.width; width++) {
      const patch = { height, width };
      if (height * width >= atLeast && isBetter(patch, best, target)) best = patch;
    }
  }
  return best;
}

function isBetter(a: Patch, b: Patch, target: number): boolean {
  const distance = ({ height, width }: Patch) => Math.abs(height * width - target);
  const slenderness = ({ height, width }: Patch) =>
    Math.max(height, width) / Math.min(height, width);
  const nearer = distance(a) - distance(b);
  return nearer < 0 || (nearer === 0 && slenderness(a) < slenderness(b));
}
