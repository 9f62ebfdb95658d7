// Counter-based random keys: Threefry-2x32 with 20 rounds.
// Source: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.

import { showValue } from "./options.ts";

/** A random key: two unsigned 32-bit integers. A key is a value; drawing from it does not change it. */
export type Key = readonly [number, number];

const parity = 0x1bd11bda;

const rotate = (x: number, bits: number): number => (x << bits) | (x >>> (32 - bits));

/** Threefry-2x32-20: encrypts the counter `(c0, c1)` under `key`. Returns two unsigned 32-bit integers. */
export function threefry(key: Key, c0: number, c1: number): Key {
  checkKey(key);
  const pair = new Uint32Array(2);
  encrypt(key[0] | 0, key[1] | 0, c0, c1, pair, 0);
  return [pair[0] as number, pair[1] as number];
}

/** A seed in a key's place would be read as a key, and all seeds as the same one. */
function checkKey(key: Key | undefined): void {
  if (!Number.isInteger(key?.[0]) || !Number.isInteger(key?.[1])) {
    throw new TypeError(`key: ${key} is no key; give what key(seed) or foldIn makes`);
  }
}

/** The same to `to[at]` and `to[at + 1]`, of which there may be one only; `k0` and `k1` are int32. */
function encrypt(
  k0: number,
  k1: number,
  c0: number,
  c1: number,
  to: Uint32Array,
  at: number,
): void {
  let k2 = parity ^ k0 ^ k1;
  let x0 = (c0 + k0) | 0;
  let x1 = (c1 + k1) | 0;
  // Written out, since this is most of what drawing costs: five groups of four rounds, each followed by the next two of
  // the three parts of the key.
  for (let group = 1; ; group += 2) {
    x0 = (x0 + x1) | 0;
    x1 = rotate(x1, 13) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = rotate(x1, 15) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = rotate(x1, 26) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = rotate(x1, 6) ^ x0;
    x0 = (x0 + k1) | 0;
    x1 = (x1 + k2 + group) | 0;
    if (group === 5) break;
    x0 = (x0 + x1) | 0;
    x1 = rotate(x1, 17) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = rotate(x1, 29) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = rotate(x1, 16) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = rotate(x1, 24) ^ x0;
    x0 = (x0 + k2) | 0;
    x1 = (x1 + k0 + group + 1) | 0;
    const last = k2;
    k2 = k1;
    k1 = k0;
    k0 = last;
  }
  to[at] = x0;
  to[at + 1] = x1;
}

/**
 * The key of a seed.
 * @throws RangeError unless `seed` is a whole number from 0 to 2^53 − 1.
 */
export function key(seed: number): Key {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new RangeError(`key: seed is ${showValue(seed)}; give a whole number from 0 to 2^53 - 1`);
  }
  return [Math.floor(seed / 2 ** 32), seed >>> 0];
}

// The counter's high word separates what a key is used for, so that folding in never meets drawing.
const drawing = 0;
const folding = 1;

/** A new key from a key and a number (a step, a layer's index, …), independent of other numbers' keys. */
export function foldIn(parent: Key, data: number): Key {
  if (!Number.isInteger(data) || data < 0 || data >= 2 ** 32) {
    throw new RangeError(
      `foldIn: data is ${showValue(data)}; give a whole number from 0 to 2^32 - 1`,
    );
  }
  return threefry(parent, data, folding);
}

function checkCount(where: string, count: number): void {
  if (!Number.isSafeInteger(count) || count < 0) {
    throw new RangeError(`${where}: count is ${showValue(count)}; give a whole number >= 0`);
  }
}

/**
 * `count` independent keys from one.
 * @throws RangeError, as all draws, for a count that is no whole number >= 0.
 */
export function split(parent: Key, count: number): Key[] {
  checkCount("split", count);
  return Array.from({ length: count }, (_, index) => foldIn(parent, index));
}

/** `count` uniform unsigned 32-bit integers. */
export function randomBits(from: Key, count: number): Uint32Array {
  checkCount("randomBits", count);
  checkKey(from);
  const [k0, k1] = [from[0] | 0, from[1] | 0];
  const bits = new Uint32Array(count);
  // What is written beyond the end is lost.
  for (let i = 0; i < count; i += 2) encrypt(k0, k1, i / 2, drawing, bits, i);
  return bits;
}

/** `count` uniform numbers in [0, 1), multiples of 2^-32. */
export function uniform(from: Key, count: number): Float64Array {
  checkCount("uniform", count);
  return new Float64Array(randomBits(from, count)).map((bits) => bits / 2 ** 32);
}

/** `count` numbers of the standard normal distribution (Box and Muller, 1958). */
export function normal(from: Key, count: number): Float64Array {
  checkCount("normal", count);
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
    throw new RangeError(
      `randomInteger: bound is ${showValue(bound)}; give a whole number from 1 to 2^31`,
    );
  }
  const [high, low] = threefry(from, 0, drawing);
  return Number(((BigInt(high) << 32n) | BigInt(low)) % BigInt(bound));
}

/** A uniform permutation of 0 … `count` − 1 (Fisher and Yates). */
export function permutation(from: Key, count: number): Uint32Array {
  checkCount("permutation", count);
  const order = new Uint32Array(count).map((_, index) => index);
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
