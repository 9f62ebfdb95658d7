// Regions with a dynamic origin: rows, joins, windows.

import { type Node, sizeOf } from "@fewnorm/tensor";
import { OP_ADD_CROP, OP_ADD_ROWS, OP_CROP } from "../../opcodes.ts";
import { copyValue } from "../elementwise.ts";
import { type Lowering, rangeMap, rowMapping, type Value } from "../lowering.ts";
import { at, mapped } from "../program.ts";
import { emitNormalize, normalizationRules } from "./normalization.ts";
import { emitPatchedInputGrad } from "./patch.ts";
import { indexPlace, rowsOf, startAccess, windowArguments } from "./places.ts";
import { imagesAccess, operand, type Rules } from "./rule.ts";

/** A base to add to: 0 stands for zeros. */
function baseOf(low: Lowering, node: Node): Value | undefined {
  const base = operand(low, node, 0);
  return base.uniform === 0 ? undefined : low.spread(node, base);
}

/** What the sum may be written over: the base, unless the part, whose elements move, lies there too. */
function overBase(base: Value | undefined, part: Value): Value[] {
  return base === undefined || base.place.buffer === part.place.buffer ? [] : [base];
}

export const regionRules: Rules<"rows" | "joinRows" | "addRows" | "crop" | "addCrop"> = {
  rows: rowsOf,

  joinRows(low, node) {
    const { shape, attributes } = node;
    const whole = low.analysis.masked.joined.get(node.id);
    if (whole !== undefined) return low.value(whole);
    const place = low.joinPlace(node.id);
    attributes.ranges.forEach((_, index) => {
      const part = node.inputs[index] as number;
      const placement = low.analysis.placed.get(part);
      if (placement?.join === node.id && placement.index === index) return;
      const value = low.value(part);
      const map = rangeMap(low, { join: node.id, index });
      copyValue(low, node, { shape: value.shape, place, map }, value);
    });
    return { shape, place };
  },

  addRows(low, node) {
    const { shape, attributes } = node;
    const { base: first, modulo, count } = attributes.range;
    const base = baseOf(low, node);
    const start = operand(low, node, 2);
    const range = rowMapping(start, attributes.index, attributes.range);
    const added = low.graph.nodes[node.inputs[1] as number] as Node;
    if (added.op === "normalize" && low.analysis.inside.has(added.id)) {
      const x = low.spread(added, operand(low, added, 0));
      const over = base?.map === undefined && base?.place.buffer !== x.place.buffer;
      const out = base === undefined || !over ? undefined : low.result(node, [base]);
      if (out !== undefined && out.place.buffer === base?.place.buffer) {
        const rows = { shape: added.shape, place: out.place, map: range };
        emitNormalize(low, added, { x, residual: rows, out: rows });
        return out;
      }
      low.define(added.id, normalizationRules.normalize(low, added));
    }
    const part = low.spread(node, operand(low, node, 1));
    const out = low.result(node, overBase(base, part));
    const rows = shape[0] ?? 1;
    low.emit({
      op: OP_ADD_ROWS,
      args: [
        ...[at(base?.place), mapped(base?.map), at(part.place), mapped(part.map)],
        ...[mapped(range), modulo, first, count, at(out.place), mapped(out.map)],
        ...[rows, (4 * sizeOf(shape)) / rows],
      ],
      accesses: [
        ...(base === undefined ? [] : [imagesAccess(base, false)]),
        { ...imagesAccess(part, false), key: "" },
        startAccess(start),
        imagesAccess(out, true),
      ],
      node: node.id,
    });
    return out;
  },

  crop(low, node) {
    const x = low.spread(node, operand(low, node, 0));
    const origin = operand(low, node, 1);
    const out = low.result(node);
    low.emit({
      op: OP_CROP,
      args: [
        ...windowArguments(indexPlace(origin, node.attributes.index), x.shape, node.attributes),
        ...[at(x.place), mapped(x.map), at(out.place), mapped(out.map)],
      ],
      accesses: [imagesAccess(x, false), startAccess(origin), imagesAccess(out, true)],
      node: node.id,
    });
    return out;
  },

  addCrop(low, node) {
    const patched = low.analysis.patched.sums.get(node.id);
    if (patched !== undefined) return emitPatchedInputGrad(low, node, patched);
    const base = baseOf(low, node);
    const part = low.spread(node, operand(low, node, 1));
    const origin = operand(low, node, 2);
    const out = low.result(node, overBase(base, part));
    low.emit({
      op: OP_ADD_CROP,
      args: [
        ...windowArguments(indexPlace(origin, node.attributes.index), node.shape, node.attributes),
        ...[at(base?.place), mapped(base?.map), at(part.place), mapped(part.map)],
        ...[at(out.place), mapped(out.map)],
      ],
      accesses: [
        ...(base === undefined ? [] : [imagesAccess(base, false)]),
        imagesAccess(part, false),
        startAccess(origin),
        imagesAccess(out, true),
      ],
      node: node.id,
    });
    return out;
  },
};
