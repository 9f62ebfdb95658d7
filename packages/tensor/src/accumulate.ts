// Sums the contributions to one gradient. Contributions that fill only some rows or a window are put
// together without materializing the zeros around them.

import type { Tensor } from "./graph.ts";
import * as ops from "./ops.ts";
import type { Node, NodeOf, RowRange } from "./primitives.ts";

/** A contribution to some rows: zero but for `part` at `range`. */
interface Placement {
  readonly part: Tensor;
  readonly start: Tensor;
  readonly index: number;
  readonly range: RowRange;
}

/** The sum of `contributions`, which all have one shape. */
export function accumulate(contributions: readonly Tensor[]): Tensor {
  const [first] = contributions as [Tensor];
  const dense: Tensor[] = [];
  const placements: Placement[] = [];
  const windows: NodeOf<"addCrop">[] = [];
  for (const contribution of contributions) {
    const node = nodeOf(contribution);
    if (node.op === "addRows" && isZero(contribution, node.inputs[0])) {
      placements.push(placementOf(contribution, node));
    } else if (node.op === "addCrop" && isZero(contribution, node.inputs[0])) {
      windows.push(node);
    } else {
      dense.push(contribution);
    }
  }
  const { joined, rest } = joinPlacements(first.shape[0] ?? 1, mergePlacements(placements));
  let total = [...dense, ...joined].reduce<Tensor | undefined>(
    (left, right) => (left === undefined ? right : addTwo(left, right)),
    undefined,
  );
  for (const { part, start, range, index } of rest) {
    total ??= first.builder.constant(0, first.shape);
    total = ops.addRows(total, part, start, { range, index });
  }
  for (const { inputs, attributes } of windows) {
    total ??= first.builder.constant(0, first.shape);
    const [, part, origin] = inputs.map((id) => first.builder.tensor(id)) as Tensor[];
    total = ops.addCrop(total, part as Tensor, origin as Tensor, attributes);
  }
  return total as Tensor;
}

function nodeOf(tensor: Tensor): Node {
  return tensor.builder.nodes[tensor.id] as Node;
}

function isZero(of: Tensor, id: number | undefined): boolean {
  const node = of.builder.nodes[id ?? -1];
  return node?.op === "constant" && node.attributes.values === 0;
}

function placementOf(tensor: Tensor, node: NodeOf<"addRows">): Placement {
  const [, part, start] = node.inputs.map((id) => tensor.builder.tensor(id)) as Tensor[];
  return { part: part as Tensor, start: start as Tensor, ...node.attributes };
}

/** Placements of one range under one start are summed before they are placed. */
function mergePlacements(placements: readonly Placement[]): Placement[] {
  const merged: Placement[] = [];
  for (const placement of placements) {
    const at = merged.findIndex(
      (other) => sameRing(other, placement) && ops.sameRange(other.range, placement.range),
    );
    const other = merged[at];
    if (other === undefined) merged.push(placement);
    else merged[at] = { ...other, part: addTwo(other.part, placement.part) };
  }
  return merged;
}

/** Ranges that turn together: same start, same base and modulo. */
function sameRing(a: Placement, b: Placement): boolean {
  return (
    a.start.id === b.start.id &&
    a.index === b.index &&
    a.range.base === b.range.base &&
    a.range.modulo === b.range.modulo
  );
}

/** Finds placements that together cover every row, and joins them; the rest is returned as it is. */
function joinPlacements(
  total: number,
  placements: readonly Placement[],
): { joined: Tensor[]; rest: Placement[] } {
  const rings: Placement[][] = [];
  for (const placement of placements) {
    const ring = rings.find(([other]) => other !== undefined && sameRing(other, placement));
    if (ring === undefined) rings.push([placement]);
    else ring.push(placement);
  }
  const complete = rings.filter(isComplete);
  const rest = rings.filter((ring) => !isComplete(ring)).flat();
  const joined: Tensor[] = [];
  for (;;) {
    const cover = takeCover(total, complete);
    if (cover === undefined) break;
    joined.push(ops.joinRows(cover));
  }
  return { joined, rest: [...rest, ...complete.flat()] };
}

/** Whether a ring's ranges cover offsets 0 … modulo − 1 once each. */
function isComplete(ring: readonly Placement[]): boolean {
  let next = 0;
  for (const { range } of [...ring].sort((a, b) => a.range.offset - b.range.offset)) {
    if (range.offset !== next) return false;
    next += range.count;
  }
  return next === ring[0]?.range.modulo;
}

/** Removes from `rings`, and returns, placements whose rings cover rows 0 … total − 1; undefined if none do. */
function takeCover(total: number, rings: Placement[][]): Placement[] | undefined {
  const cover: Placement[][] = [];
  let next = 0;
  while (next < total) {
    const ring = rings.find(([first]) => first?.range.base === next);
    if (ring === undefined) return undefined;
    cover.push(ring);
    next += (ring[0] as Placement).range.modulo;
  }
  for (const ring of cover) rings.splice(rings.indexOf(ring), 1);
  return cover.flat();
}

/** a + b. A scaled gradient and a scaled activation make one pass: normalization's input gradient. */
function addTwo(a: Tensor, b: Tensor): Tensor {
  return fuse(a, b) ?? fuse(b, a) ?? ops.add(a, b);
}

function fuse(scaled: Tensor, affine: Tensor): Tensor | undefined {
  const [left, right] = [nodeOf(scaled), nodeOf(affine)];
  if (!isPlainNormalize(left) || !isPlainNormalize(right)) return undefined;
  if (!isZero(scaled, left.inputs[1]) || !isZero(scaled, left.inputs[3])) return undefined;
  const [g, , gScale] = left.inputs.map((id) => scaled.builder.tensor(id)) as Tensor[];
  const rest = right.inputs.map((id) => affine.builder.tensor(id));
  const [x, mean, xScale, shift] = rest as [Tensor, Tensor, Tensor, Tensor];
  return scaled.builder.append(
    "normalizeInputGrad",
    [g as Tensor, x, gScale as Tensor, mean, xScale, shift],
    {},
  );
}

function isPlainNormalize(node: Node): node is NodeOf<"normalize"> {
  return node.op === "normalize" && !node.attributes.relu && !node.attributes.residual;
}
