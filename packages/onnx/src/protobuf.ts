// Protocol buffers, as far as they are written here: fields of whole numbers, floats, bytes and messages.
// Source: https://protobuf.dev/programming-guides/encoding

/** Encoded fields, as pieces that are put together once, at the end. */
export interface Encoded {
  readonly length: number;
  readonly pieces: readonly Uint8Array[];
}

const of = (...pieces: Uint8Array[]): Encoded => ({
  length: pieces.reduce((total, piece) => total + piece.length, 0),
  pieces,
});

/** Seven bits a byte, the lowest first; negative numbers as 64 bits in two's complement. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Uint8Array.of(...bytes, Number(rest));
}

const tag = (field: number, wireType: number): Uint8Array => varint((field << 3) | wireType);

export const integer = (field: number, value: number): Encoded => of(tag(field, 0), varint(value));

export function float(field: number, value: number): Encoded {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return of(tag(field, 5), bytes);
}

export const bytes = (field: number, value: Uint8Array): Encoded =>
  of(tag(field, 2), varint(value.length), value);

export const text = (field: number, value: string): Encoded =>
  bytes(field, new TextEncoder().encode(value));

/** Fields one after another: a message's content. */
export function fields(...parts: readonly Encoded[]): Encoded {
  const pieces = parts.flatMap((part) => part.pieces);
  return { length: parts.reduce((total, part) => total + part.length, 0), pieces };
}

/** A field that holds a message. */
export const message = (field: number, ...content: readonly Encoded[]): Encoded => {
  const inner = fields(...content);
  return fields(of(tag(field, 2), varint(inner.length)), inner);
};

export function join({ length, pieces }: Encoded): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}
