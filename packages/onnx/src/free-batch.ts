// Which sizes of a graph are the batch's: found by tracing it with two batches and comparing.

import type { Graph, Node, Shape } from "@fewnorm/tensor";

/** A size: a number, or a multiple of the batch. */
export type Extent = number | { readonly timesBatch: number };

/** The sizes of every node's result. */
export type Extents = readonly (readonly Extent[])[];

/**
 * The sizes of a graph of any batch. Both graphs are traces of one model.
 * @throws Error that names the layer where something other than a size depends on the batch.
 */
export function freeBatchExtents(
  [a, batchA]: readonly [Graph, number],
  [b, batchB]: readonly [Graph, number],
): Extents {
  const refuse = (label: string, what: string): never => {
    throw new Error(
      `exportOnnx: ${layerNamed(label)} ${what}; give the option batch, to export for one batch size`,
    );
  };
  if (a.nodes.length !== b.nodes.length) refuse("", "is built another way for another batch");
  return a.nodes.map((node, i) => {
    const other = b.nodes[i] as Node;
    if (signature(node) !== signature(other)) {
      refuse(node.label, `computes ${node.op} another way for another batch`);
    }
    return node.shape.map((extent, axis) => {
      const there = other.shape[axis] as number;
      if (extent === there) return extent;
      const times = extent / batchA;
      if (there !== times * batchB) refuse(node.label, "has a size that grows with the batch");
      return { timesBatch: times };
    });
  });
}

/** All of a node but for its sizes. */
function signature({ op, inputs, attributes, shape }: Node): string {
  const { shape: _, ...rest } = attributes as { readonly shape?: Shape };
  return JSON.stringify([op, inputs, rest, shape.length]);
}

/** The sizes of a graph whose batch is what it is. */
export const fixedExtents = (graph: Graph): Extents => graph.nodes.map(({ shape }) => shape);

/** For messages: what is outside all layers has no label. */
export const layerNamed = (label: string): string =>
  label === "" ? "the model" : `layer "${label}"`;

export function showExtents(extents: readonly Extent[]): string {
  const sizes = extents.map((extent) => {
    if (typeof extent === "number") return extent;
    return extent.timesBatch === 1 ? "N" : `${extent.timesBatch}·N`;
  });
  return `[${sizes.join(", ")}]`;
}

export const sameExtent = (a: Extent | undefined, b: Extent | undefined): boolean =>
  typeof a === "object" && typeof b === "object" ? a.timesBatch === b.timesBatch : a === b;

export const sameExtents = (a: readonly Extent[], b: readonly Extent[]): boolean =>
  a.length === b.length && a.every((extent, axis) => sameExtent(extent, b[axis]));
