// A checksum that tells apart what differs by accident.

/** 32-bit FNV-1a of whole numbers: bytes, or the UTF-16 units of a name. */
export function checksum(units: Iterable<number>): number {
  let hash = 0x811c9dc5;
  for (const unit of units) hash = Math.imul(hash ^ unit, 0x01000193);
  return hash >>> 0;
}
