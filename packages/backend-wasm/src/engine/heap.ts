// Memory of the engine, handed out in blocks. Blocks are few and long-lived: states, plans, one workspace.

const PAGE = 65536;
const ALIGNMENT = 64;
/** Kernels may read a vector past the end of a block. */
const SLACK = 64;
const LARGEST = 65536;

export interface Heap {
  readonly memory: WebAssembly.Memory;
  /** The address of a new block. @throws RangeError when memory cannot grow that far. */
  allocate(bytes: number): number;
  free(address: number): void;
  floats(address: number, length: number): Float32Array<ArrayBufferLike>;
  integers(address: number, length: number): Int32Array<ArrayBufferLike>;
}

interface Block {
  readonly address: number;
  readonly bytes: number;
}

/** A heap whose blocks begin at `base`. */
export function createHeap(base: number, shared: boolean): Heap {
  const { memory, pages: most } = createMemory(shared);
  let end = memory.buffer.byteLength;
  let free: Block[] = [{ address: base, bytes: end - base }];
  const used = new Map<number, number>();

  function grow(bytes: number): void {
    const pages = Math.ceil(bytes / PAGE);
    try {
      memory.grow(pages);
    } catch {
      throw new RangeError(
        `allocate: ${bytes} more bytes do not fit into WebAssembly's ${(most * PAGE) / 2 ** 30} GiB; make the batch or the model smaller`,
      );
    }
    release({ address: end, bytes: pages * PAGE });
    end += pages * PAGE;
  }

  /** Puts a block back, joined with its free neighbours. */
  function release(block: Block): void {
    const before = free.find((other) => other.address + other.bytes === block.address);
    const after = free.find((other) => other.address === block.address + block.bytes);
    const address = before?.address ?? block.address;
    const bytes = (before?.bytes ?? 0) + block.bytes + (after?.bytes ?? 0);
    free = free.filter((other) => other !== before && other !== after);
    free.push({ address, bytes });
  }

  return {
    memory,
    allocate(wanted) {
      const bytes = Math.ceil((wanted + SLACK) / ALIGNMENT) * ALIGNMENT;
      const fitting = () =>
        free
          .filter((block) => block.bytes >= bytes)
          .sort((a, b) => a.bytes - b.bytes || a.address - b.address)[0];
      let block = fitting();
      if (block === undefined) {
        const last = free.find((other) => other.address + other.bytes === end);
        grow(bytes - (last?.bytes ?? 0));
        block = fitting() as Block;
      }
      const { address } = block;
      free = free.filter((other) => other !== block);
      if (block.bytes > bytes) free.push({ address: address + bytes, bytes: block.bytes - bytes });
      used.set(address, bytes);
      return address;
    },
    free(address) {
      const bytes = used.get(address);
      if (bytes === undefined) return;
      used.delete(address);
      release({ address, bytes });
    },
    floats: (address, length) => new Float32Array(memory.buffer, address, length),
    integers: (address, length) => new Int32Array(memory.buffer, address, length),
  };
}

/** Memory that can grow to 4 GiB, or to 1 GiB where that much address space is not to be had. */
function createMemory(shared: boolean): { memory: WebAssembly.Memory; pages: number } {
  const create = (pages: number) => {
    return { memory: new WebAssembly.Memory({ initial: 16, maximum: pages, shared }), pages };
  };
  try {
    return create(LARGEST);
  } catch {
    return create(LARGEST / 4);
  }
}
