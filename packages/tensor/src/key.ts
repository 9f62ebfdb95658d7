// Counter-based random keys: Threefry-2x32 with 20 rounds.
// Source: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.

/** A random key: two unsigned 32-bit integers. A key is a value; drawing from it does not change it. */
export type Key = readonly [number, number];

const rotations = [13, 15, 26, 6, 17, 29, 16, 24] as const;
const parity = 0x1bd11bda;

/** Threefry-2x32-20: encrypts the counter `(c0, c1)` under `key`. Returns two unsigned 32-bit integers. */
export function threefry(key: Key, c0: number, c1: number): Key {
  const k = [key[0] | 0, key[1] | 0, parity ^ key[0] ^ key[1]] as const;
  let x0 = (c0 + k[0]) | 0;
  let x1 = (c1 + k[1]) | 0;
  for (let group = 0; group < 5; group++) {
    const first = (group & 1) * 4;
    for (let round = first; round < first + 4; round++) {
      const r = rotations[round] as number;
      x0 = (x0 + x1) | 0;
      x1 = ((x1 << r) | (x1 >>> (32 - r))) ^ x0;
    }
    x0 = (x0 + (k[(group + 1) % 3] as number)) | 0;
    x1 = (x1 + (k[(group + 2) % 3] as number) + group + 1) | 0;
  }
  return [x0 >>> 0, x1 >>> 0];
}

/**
 * The key of a seed.
 * @throws RangeError unless `seed` is a whole number from 0 to 2^53 − 1.
 */
export function key(seed: number): Key {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new RangeError(`key: seed is ${seed}; give a whole number from 0 to 2^53 - 1`);
  }
  return [Math.floor(seed / 2 ** 32), seed >>> 0];
}

// The counter's high word separates what a key is used for, so that folding in never meets drawing.
const drawing = 0;
const folding = 1;

/** A new key from a key and a number (a step, a layer's index, …), independent of other numbers' keys. */
export function foldIn(parent: Key, data: number): Key {
  if (!Number.isInteger(data) || data < 0 || data >= 2 ** 32) {
    throw new RangeError(`foldIn: data is ${data}; give a whole number from 0 to 2^32 - 1`);
  }
  return threefry(parent, data, folding);
}

/** `count` independent keys from one. */
export function split(parent: Key, count: number): Key[] {
  return Array.from({ length: count }, (_, index) => foldIn(parent, index));
}

/** `count` uniform unsigned 32-bit integers. */
export function randomBits(from: Key, count: number): Uint32Array {
  const bits = new Uint32Array(count);
  for (let i = 0; i < count; i += 2) {
    const [a, b] = threefry(from, i / 2, drawing);
    bits[i] = a;
    if (i + 1 < count) bits[i + 1] = b;
  }
  return bits;
}

/** `count` uniform numbers in [0, 1), multiples of 2^-32. */
export function uniform(from: Key, count: number): Float64Array {
  return Float64Array.from(randomBits(from, count), (bits) => bits / 2 ** 32);
}

/** `count` numbers of the standard normal distribution (Box and Muller, 1958). */
export function normal(from: Key, count: number): Float64Array {
  const bits = randomBits(from, count + (count & 1));
  const out = new Float64Array(count);
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(((bits[i] as number) + 0.5) / 2 ** 32));
    const angle = 2 * Math.PI * ((bits[i + 1] as number) / 2 ** 32);
    out[i] = radius * Math.cos(angle);
    if (i + 1 < count) out[i + 1] = radius * Math.sin(angle);
  }
  return out;
}

/**
 * One uniform whole number from 0 to `bound` − 1. 64 random bits are reduced modulo `bound`,
 * so no value is favoured by more than 2^-32.
 * @throws RangeError unless `bound` is a whole number from 1 to 2^31.
 */
export function randomInteger(from: Key, bound: number): number {
  if (!Number.isInteger(bound) || bound < 1 || bound > 2 ** 31) {
    throw new RangeError(`randomInteger: bound is ${bound}; give a whole number from 1 to 2^31`);
  }
  const [high, low] = threefry(from, 0, drawing);
  return Number(((BigInt(high) << 32n) | BigInt(low)) % BigInt(bound));
}

/** A uniform permutation of 0 … `count` − 1 (Fisher and Yates). */
export function permutation(from: Key, count: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  const bits = randomBits(from, count);
  for (let i = count - 1; i > 0; i--) {
    // (bits · (i + 1)) / 2^32 is exact in float64; its bias is below (i + 1) / 2^32.
    const j = Math.floor(((bits[i] as number) * (i + 1)) / 2 ** 32);
    const kept = order[i] as number;
    order[i] = order[j] as number;
    order[j] = kept;
  }
  return order;
}
