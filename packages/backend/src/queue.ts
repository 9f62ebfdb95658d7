// Work on a backend and its memory, one piece at a time: runs that are started together wait for each other.

/** Runs that share memory, in turn. */
export interface Queue {
  /** Whether new work has to wait. */
  readonly busy: boolean;
  /** Does the work when all that was asked for earlier is done: at once, if that is so already. */
  enter<T>(work: () => T | Promise<T>): Promise<T>;
}

/** A queue with nothing in it. */
export function createQueue(): Queue {
  let last: Promise<unknown> = Promise.resolve();
  let count = 0;

  async function turn<T>(before: Promise<unknown> | undefined, work: () => T | Promise<T>) {
    try {
      if (before !== undefined) await before;
      return await work();
    } finally {
      count--;
    }
  }

  return {
    get busy() {
      return count > 0;
    },
    enter(work) {
      const before = count > 0 ? last : undefined;
      count++;
      const result = turn(before, work);
      // What fails is its caller's business, not that of the next.
      last = result.catch(() => {});
      return result;
    },
  };
}

/** Elements that stay what they are while they wait. */
export function copyOf(elements: ArrayLike<number>): ArrayLike<number> {
  return ArrayBuffer.isView(elements)
    ? (elements as Float32Array | Float64Array | Int32Array).slice()
    : Array.from(elements);
}
