// Turns a graph's nodes into instructions. This file holds what the rules share: values, memory, copies.

import { type Graph, type Node, type NodeOf, type Shape, sameShape, sizeOf } from "@fewnorm/tensor";
import { EACH, OP_FILL, SHARED } from "../opcodes.ts";
import { type Analysis, operandsOf, readsLater } from "./analysis.ts";
import { areApart } from "./conflicts.ts";
import { copyValue } from "./elementwise.ts";
import { elementwise, viewsOf } from "./graph.ts";
import { storedStrides } from "./layout.ts";
import {
  type Access,
  at,
  type Buffer,
  type Instruction,
  mapName,
  type Place,
  type RowMapping,
  reads,
  writes,
} from "./program.ts";

/** Tensors with fewer elements than this are not divided between threads. */
export const SMALL = 4096;

/** Where a node's result lies. Its bytes may be rows of a larger tensor, or one number that stands for all. */
export interface Value {
  readonly shape: Shape;
  readonly place: Place;
  readonly map?: RowMapping | undefined;
  /** The map whose order threads took its rows in, of a value that has none itself. */
  readonly order?: RowMapping | undefined;
  /** Its first axis is multiplied by this [O]: of weights that only convolutions take. */
  readonly scale?: Value | undefined;
  /** All elements are this; `place` holds it once. */
  readonly uniform?: number | undefined;
}

/** Memory that belongs to the executable or the state, not to the workspace. */
export interface FixedMemory {
  constant(values: ArrayLike<number>, dtype: "float32" | "int32"): number;
  state(name: string): number;
}

export interface Lowering {
  readonly graph: Graph;
  readonly analysis: Analysis;
  readonly threads: number;
  readonly scratch: Buffer;
  value(node: number): Value;
  /** Records a node's value. */
  define(node: number, value: Value): void;
  /** Packed weights, by what they are made of. */
  readonly packs: Map<string, Place>;
  /** Says where the host writes an input. */
  feed(name: string, place: Place): void;
  /** The memory of a joinRows node. */
  joinPlace(join: number): Place;
  /** New workspace memory. */
  allocate(bytes: number): Place;
  /** Makes room for `bytes` of scratch memory for each thread. */
  needScratch(bytes: number): void;
  constant(values: ArrayLike<number>, dtype?: "float32" | "int32"): Place;
  state(name: string): Place;
  /** Records an instruction; one of a node that lasts, by `emitLasting`. */
  emit(instruction: Instruction): void;
  /** As `emit`, before everything else: for what depends on states and constants only. */
  emitFirst(instruction: Instruction): void;
  /** As `emitFirst`, for what depends on lasting values only: it stays in its buffer from run to run. */
  emitLasting(instruction: Instruction): void;
  /**
   * Where a node's result goes. With `over`: values whose memory it may take when nothing needs them any more after
   * node `last`, by default the node itself.
   */
  result(node: Node, over?: readonly Value[], last?: number): Value;
  /** `value` without map and not uniform: the stored elements one after another. */
  dense(node: Node, value: Value): Value;
  /** `value`, not uniform. */
  spread(node: Node, value: Value): Value;
}

export const bytesOf = (shape: Shape): number => 4 * sizeOf(shape);

export function createLowering(
  graph: Graph,
  analysis: Analysis,
  threads: number,
  fixed: FixedMemory,
) {
  const lasting: Instruction[] = [];
  const lastingBuffers = new Set<Buffer>();
  /** States whose new value is written at the end: until then others may use what nothing reads any more. */
  const lent = new Set<Buffer>();
  const first: Instruction[] = [];
  const main: Instruction[] = [];
  const buffers: Buffer[] = [];
  const values = new Map<number, Value>();
  const hosted = new Map<Buffer, number[]>();
  const joins = new Map<number, Place>();
  const feeds = new Map<string, Place>();

  function addBuffer(kind: Buffer["kind"], bytes: number, address = 0): Buffer {
    const id = buffers.length;
    const buffer: Buffer = { id, kind, bytes, address, fed: false, fetched: false };
    buffers.push(buffer);
    return buffer;
  }

  const scratch = addBuffer("workspace", 0);
  scratch.fed = true;
  scratch.fetched = true;

  function joinPlace(join: number): Place {
    const known = joins.get(join);
    if (known !== undefined) return known;
    return host(join, lowering.allocate(bytesOf((graph.nodes[join] as Node).shape)));
  }

  /** Lets a join lie at `place`. Everything that will live there is noted, so that nothing takes it over too early. */
  function host(join: number, place: Place): Place {
    joins.set(join, place);
    const parts = [...analysis.placed].filter(([, { join: target }]) => target === join);
    const owners = hosted.get(place.buffer) ?? [];
    hosted.set(place.buffer, [...owners, join, ...parts.map(([part]) => part)]);
    return place;
  }

  /** Whether a part of a join may be written over the rows of a buffer that it fills in the join. */
  function fitsOver(buffer: Buffer, id: number, join: number): boolean {
    const part = graph.nodes[id] as Node;
    const owners = hosted.get(buffer) ?? [];
    const { placed, masked } = analysis;
    const placement = placed.get(id);
    if (placement?.join !== join || !elementwise.has(part.op)) return false;
    // Computed earlier, by a convolution.
    if (masked.passed.has(id)) return false;
    const map = rangeMap(lowering, placement);
    const inRows = (from: number) => {
      if (!viewsOf(graph, from).some((viewed) => owners.includes(viewed))) return true;
      const operand = graph.nodes[from] as Node;
      const whole = owners.includes(operand.inputs[0] as number);
      return operand.op === "rows" && whole && mapName(rowsOf(operand)?.map) === mapName(map);
    };
    const rows = { map, count: part.shape[0] as number };
    return part.inputs.every(inRows) && owners.every((owner) => isOver(owner, id, rows));
  }

  /** The memory of a value of a join's size, if every part of the join can be written over the same rows of it. */
  function takenBy(join: NodeOf<"joinRows">, over: readonly Value[]): Place | undefined {
    const parts = join.inputs.slice(0, join.attributes.ranges.length);
    const places = over.map(({ place }) => place);
    return places.find(({ buffer, offset }) => {
      const free = buffer.kind === "workspace" && !lastingBuffers.has(buffer);
      const fits = free && offset === 0 && buffer.bytes === bytesOf(join.shape);
      return fits && parts.every((id) => fitsOver(buffer, id, join.id));
    });
  }

  /**
   * Whether nothing takes rows of a value, or of what it is a view of, after node `last`; all its rows if none are
   * given.
   */
  function isOver(id: number, last: number, rows: Access["rows"]): boolean {
    if ((analysis.lastUse[id] as number) <= last) return true;
    if (rows === undefined || analysis.ends.has(id)) return false;
    const placement = analysis.placed.get(id);
    const own = placement === undefined ? values.get(id)?.map : rangeMap(lowering, placement);
    const count = (graph.nodes[id] as Node).shape[0] as number;
    if (own !== undefined && areApart({ map: own, count }, rows)) return true;
    return (analysis.users[id] as readonly Node[]).every((user) => {
      if (user.op === "rows" && areApart(rowsOf(user), rows)) return true;
      return readsLater(user, analysis) ? isOver(user.id, last, rows) : user.id <= last;
    });
  }

  function rowsOf({ inputs, attributes: { index, range } }: NodeOf<"rows">): Access["rows"] {
    const start = values.get(inputs[1] as number);
    if (start === undefined) return undefined;
    return { map: rowMapping(start, index, range), count: range.count };
  }

  /** Whether a node may write its result over an operand, of the same shape. */
  function dying({ place, map, uniform, shape }: Value, node: Node, last: number): boolean {
    const { buffer, offset } = place;
    if (buffer.kind !== "workspace" && !lent.has(buffer)) return false;
    if (uniform !== undefined || lastingBuffers.has(buffer)) return false;
    if (offset !== 0 || (map === undefined && buffer.bytes !== bytesOf(shape))) return false;
    // Of one shape, since the order in which elements are stored depends on it.
    if (!sameShape(shape, node.shape)) return false;
    // Other operands may be other rows of the same memory, which are read out of order.
    const elsewhere = operandsOf(node, analysis.products).every((id) => {
      const other = values.get(id);
      if (other === undefined || other.place.buffer !== buffer) return true;
      return mapName(other.map) === mapName(map);
    });
    if (!elsewhere) return false;
    const rows = map === undefined ? undefined : { map, count: shape[0] as number };
    return (hosted.get(buffer) ?? []).every((owner) => isOver(owner, last, rows));
  }

  const lowering: Lowering = {
    graph,
    analysis,
    threads,
    scratch,
    value: (node) => values.get(node) as Value,
    define(id, value) {
      values.set(id, value);
      const owners = hosted.get(value.place.buffer);
      if (owners === undefined) hosted.set(value.place.buffer, [id]);
      else if (!owners.includes(id)) owners.push(id);
    },
    packs: new Map(),
    feed: (name, place) => feeds.set(name, place),
    joinPlace,
    allocate: (bytes) => ({ buffer: addBuffer("workspace", bytes), offset: 0 }),
    needScratch(bytes) {
      const each = Math.ceil((bytes + 64) / 64) * 64;
      scratch.bytes = Math.max(scratch.bytes, each * threads);
    },
    constant(data, dtype = "float32") {
      const address = fixed.constant(data, dtype);
      return { buffer: addBuffer("constant", 4 * data.length, address), offset: 0 };
    },
    state(name) {
      const address = fixed.state(name);
      const known = buffers.find((other) => other.kind === "state" && other.address === address);
      const id = graph.states[name] ?? graph.updates[name];
      const { shape } = graph.nodes[id as number] as Node;
      const buffer = known ?? addBuffer("state", bytesOf(shape), address);
      const update = graph.updates[name];
      if (update !== undefined && analysis.direct.get(update) !== name) lent.add(buffer);
      return { buffer, offset: 0 };
    },
    emit(instruction) {
      // A state that gets such a value has another one before.
      const own = instruction.accesses.every(
        (a) => !a.write || a.place.buffer.kind === "workspace",
      );
      if (own && analysis.lasting.has(instruction.node))
        lowering.emitLasting(withStarts(instruction));
      else main.push(withStarts(instruction));
    },
    emitFirst: (instruction) => first.push(instruction),
    emitLasting(instruction) {
      lasting.push(instruction);
      for (const { place, write } of instruction.accesses) {
        if (!write) continue;
        place.buffer.fed = true;
        place.buffer.fetched = true;
        lastingBuffers.add(place.buffer);
      }
    },
    result(node, over = [], last = node.id) {
      const { shape } = node;
      const placement = analysis.placed.get(node.id);
      if (placement !== undefined) {
        const join = graph.nodes[placement.join] as NodeOf<"joinRows">;
        const taken = joins.has(join.id) ? undefined : takenBy(join, over);
        if (taken !== undefined) host(join.id, taken);
        return { shape, place: joinPlace(join.id), map: rangeMap(lowering, placement) };
      }
      const name = analysis.direct.get(node.id);
      if (name !== undefined) return { shape, place: lowering.state(name) };
      // What is small may be computed by each thread, and must not change under the others' hands.
      const small = sizeOf(shape) < SMALL;
      const taken = small ? undefined : over.find((value) => dying(value, node, last));
      if (taken === undefined) return { shape, place: lowering.allocate(bytesOf(shape)) };
      return { shape, place: taken.place, map: taken.map };
    },
    dense(node, value) {
      const { map, shape } = value;
      if (map === undefined) return lowering.spread(node, value);
      const copy = { shape, place: lowering.allocate(bytesOf(shape)) };
      copyValue(lowering, node, copy, value);
      return copy;
    },
    spread(node, value) {
      const { uniform, shape } = value;
      if (uniform === undefined) return value;
      const length = sizeOf(shape);
      if (length === 1) return { shape, place: value.place };
      if (length <= SMALL) {
        return { shape, place: lowering.constant(new Float32Array(length).fill(uniform)) };
      }
      const place = lowering.allocate(4 * length);
      emitFill(lowering, node, place, shape, uniform);
      return { shape, place };
    },
  };

  return {
    low: lowering,
    feeds,
    program: () => ({
      threads,
      instructions: [...lasting, ...first, ...main],
      lasting: lasting.length,
      buffers,
    }),
  };
}

/** The starts of row maps are read, too. */
function withStarts(instruction: Instruction): Instruction {
  const starts = instruction.args.flatMap((argument) =>
    typeof argument === "object" && "map" in argument && argument.map !== undefined
      ? [reads(argument.map.start, 4)]
      : [],
  );
  return { ...instruction, accesses: [...instruction.accesses, ...starts] };
}

/** The rows that a part of a join fills. */
export function rangeMap(
  { graph, value }: Lowering,
  { join, index }: { readonly join: number; readonly index: number },
): RowMapping {
  const node = graph.nodes[join] as Node;
  if (node.op !== "joinRows") throw new Error(`rangeMap: node ${join} is no joinRows`);
  const { ranges, indices } = node.attributes;
  const start = value(node.inputs[ranges.length + index] as number);
  const range = ranges[index] as (typeof ranges)[number];
  return rowMapping(start, indices[index] as number, range);
}

/** The map of a cyclic range whose start is element `index` of a value. */
export function rowMapping(
  start: Value,
  index: number,
  {
    base,
    modulo,
    offset,
  }: { readonly base: number; readonly modulo: number; readonly offset: number },
): RowMapping {
  const { buffer, offset: from } = start.place;
  const step = start.uniform === undefined ? 4 * index : 0;
  return { start: { buffer, offset: from + step }, base, modulo, offset: offset % modulo };
}

const floatBits = (value: number): number =>
  new Int32Array(new Float32Array([value]).buffer)[0] ?? 0;

/** Fills memory with one number. */
export function emitFill(
  low: Lowering,
  node: Node,
  place: Place,
  shape: Shape,
  value: number,
): void {
  const size = sizeOf(shape);
  const small = size < SMALL;
  const rows = shape[0] ?? 1;
  const key = small ? "each" : `rows:${rows}`;
  low.emit({
    op: OP_FILL,
    args: [small ? EACH : SHARED, at(place), rows, size / rows, floatBits(value)],
    accesses: [writes(place, 4 * size, key)],
    node: node.id,
  });
}

/** Strides by logical axis of a value's stored elements, 0 everywhere for a uniform one. */
export function stridesOf({ shape, uniform }: Value): number[] {
  return uniform === undefined ? storedStrides(shape) : shape.map(() => 0);
}
