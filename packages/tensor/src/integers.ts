// What int32 can hold.

/** @throws TypeError for an element that int32 cannot hold. */
export function checkIntegers(where: string, elements: ArrayLike<number>): void {
  if (elements instanceof Int32Array) return;
  for (let i = 0; i < elements.length; i++) {
    const element = elements[i] as number;
    if (!Number.isInteger(element) || Math.abs(element + 0.5) > 2 ** 31) {
      throw new TypeError(`${where}: ${element} at ${i} is not a whole number of 32 bits`);
    }
  }
}
