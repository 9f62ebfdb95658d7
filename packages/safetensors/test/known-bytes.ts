// Files made by hand, byte by byte, without the writer that is to be tested.

/** A file with this header text, and these bytes after it. */
export function fileOf(
  header: string | Uint8Array,
  data: ArrayLike<number> | number = 0,
  stated?: number | bigint,
): Uint8Array {
  const json = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const rest = typeof data === "number" ? new Uint8Array(data) : Uint8Array.from(data);
  const bytes = new Uint8Array(8 + json.length + rest.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(stated ?? json.length), true);
  bytes.set(json, 8);
  bytes.set(rest, 8 + json.length);
  return bytes;
}

/** A header entry as text. */
export const entry = (name: string, dtype: string, shape: string, offsets: string): string =>
  `${JSON.stringify(name)}:{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}`;
