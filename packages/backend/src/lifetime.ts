// What can be disposed of, and says so when it is used afterwards.

/** How long a backend, or what belongs to one, may be used. */
export interface Lifetime {
  /** Whether it was disposed of itself; its owner may have been, too. */
  readonly ended: boolean;
  /** @throws Error with `where` in front when it, or its owner, has been disposed of. */
  check(where: string): void;
  /** Ends it; again does nothing. */
  end(): void;
}

/**
 * Keeps whether something was disposed of.
 * @param what how errors call it, as in "the state"
 * @param remedy what the user can do then, as in "create another"
 * @param owner with which it ends
 */
export function createLifetime(what: string, remedy: string, owner?: Lifetime): Lifetime {
  let ended = false;
  return {
    get ended() {
      return ended;
    },
    check(where) {
      owner?.check(where);
      if (ended) throw new Error(`${where}: ${what} was disposed; ${remedy}`);
    },
    end() {
      ended = true;
    },
  };
}
