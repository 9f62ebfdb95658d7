// Which addresses are taken at which time: finds free ones without a look at each buffer that was placed before.

/** What buffers take of a memory, and when. */
export interface Occupancy {
  /** The lowest offset from `start` on where `bytes` are free from time `first` to `last`. */
  lowestFree(bytes: number, first: number, last: number, start: number): number;
  /** Takes the addresses from `begin` to before `end`, from time `first` to `last`. */
  take(begin: number, end: number, first: number, last: number): void;
}

/** Addresses as the places where what is taken begins and ends, by turns and in order. */
type Edges = number[];

/** An empty memory at times 0 … `times` − 1, which a tree halves again and again. */
export function createOccupancy(times: number): Occupancy {
  /** Of each part of the time, by number: what is taken at some time in it, and what all the time. */
  const [sometime, always] = [new Map<number, Edges>(), new Map<number, Edges>()];

  /** The largest parts that lie in `first` … `last`, and those that do so in part only. */
  function visit(
    first: number,
    last: number,
    whole: (part: number) => void,
    partly: (part: number) => void,
    part = 1,
    from = 0,
    to = times - 1,
  ): void {
    if (last < from || to < first) return;
    if (first <= from && to <= last) {
      whole(part);
      return;
    }
    partly(part);
    const middle = Math.floor((from + to) / 2);
    visit(first, last, whole, partly, 2 * part, from, middle);
    visit(first, last, whole, partly, 2 * part + 1, middle + 1, to);
  }

  return {
    lowestFree(bytes, first, last, start) {
      const taken: Edges[] = [];
      const collect = (table: ReadonlyMap<number, Edges>) => (part: number) => {
        const edges = table.get(part);
        if (edges !== undefined) taken.push(edges);
      };
      visit(first, last, collect(sometime), collect(always));
      let offset = start;
      for (let before = -1; before !== offset; ) {
        before = offset;
        for (const edges of taken) offset = firstFree(edges, bytes, offset);
      }
      return offset;
    },
    take(begin, end, first, last) {
      const add = (table: Map<number, Edges>, part: number) => {
        const edges = table.get(part);
        if (edges === undefined) table.set(part, [begin, end]);
        else unite(edges, begin, end);
      };
      visit(
        first,
        last,
        (part) => {
          add(sometime, part);
          add(always, part);
        },
        (part) => add(sometime, part),
      );
    },
  };
}

/** How many edges do not lie behind `address`; an odd number of them means that it is taken. */
function countUpTo(edges: Edges, address: number): number {
  let [low, high] = [0, edges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((edges[middle] as number) <= address) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The lowest offset from `offset` on where `bytes` are free. */
function firstFree(edges: Edges, bytes: number, offset: number): number {
  let free = offset;
  let next = countUpTo(edges, free);
  if (next % 2 === 1) free = edges[next++] as number;
  while (next < edges.length && (edges[next] as number) < free + bytes) {
    free = edges[next + 1] as number;
    next += 2;
  }
  return free;
}

/** Adds `begin` … `end` to what is taken. What touches becomes one. */
function unite(edges: Edges, begin: number, end: number): void {
  const [from, to] = [countUpTo(edges, begin - 1), countUpTo(edges, end)];
  const [opens, closes] = [from % 2 === 0, to % 2 === 0];
  edges.splice(from, to - from, ...(opens ? [begin] : []), ...(closes ? [end] : []));
}
