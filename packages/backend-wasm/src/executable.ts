// A graph compiled for the engine: its program, linked into memory, and how it is run.

import {
  checkFeeds,
  copyOf,
  createLifetime,
  type Executable,
  type Feeds,
  type Fetches,
  labelCheck,
  type NodeTime,
} from "@fewnorm/backend";
import { type Graph, sizeOf, toNdArray } from "@fewnorm/tensor";
import type { Pool } from "./engine/pool.ts";
import { addressOf, link, linkedWords } from "./plan/link.ts";
import { lower } from "./plan/lower.ts";
import type { FixedMemory } from "./plan/lowering.ts";
import type { Place } from "./plan/program.ts";
import { schedule } from "./plan/schedule.ts";
import type { EngineState, StateContext } from "./state.ts";

/** Memory for intermediate results, one for all executables of a backend. */
export interface Workspace {
  readonly address: number;
  /** Who has used it last, and so finds there what he left. */
  user: Executable | undefined;
  /** Makes room for a plan; may move the workspace, also when there is no room. @throws RangeError then. */
  reserve(bytes: number): void;
}

/** What executables share. */
export interface EngineContext extends StateContext {
  readonly pool: Pool;
  readonly workspace: Workspace;
}

export function createExecutable(
  context: EngineContext,
  graph: Graph,
  state: EngineState | undefined,
): Executable {
  const owned: number[] = [];
  try {
    return createOwning(context, graph, state, owned);
  } catch (error) {
    for (const block of owned) context.heap.free(block);
    throw error;
  }
}

/** An executable whose own blocks of memory are listed in `owned` as soon as they are there. */
function createOwning(
  context: EngineContext,
  graph: Graph,
  state: EngineState | undefined,
  owned: number[],
): Executable {
  const { heap, pool, queue, workspace } = context;
  const own = (bytes: number): number => {
    const address = heap.allocate(bytes);
    owned.push(address);
    return address;
  };
  const fixed: FixedMemory = {
    state: (name) => (state as EngineState).address(name),
    constant(values, dtype) {
      const address = own(4 * values.length);
      const view = dtype === "int32" ? heap.integers : heap.floats;
      view(address, values.length).set(values);
      return address;
    },
  };
  const { program, feeds, outputs } = lower(graph, pool.threads, fixed);
  const plan = schedule(program);
  const { instructions } = plan;
  const address = own(4 * linkedWords(program));
  workspace.reserve(plan.workspaceBytes);
  let linkedTo = -1;
  let writesSeen: number | undefined;
  const lifetime = createLifetime("the executable", "compile the graph again", context.lifetime);
  const checkLabels = labelCheck(graph);

  function checkAlive(): void {
    lifetime.check("run");
    state?.lifetime.check("run");
  }

  type Fed = ReadonlyMap<string, ArrayLike<number>>;

  /** The feeds, all right, and the caller's to change if they have to wait. */
  function take(values: Feeds): Fed {
    const elements = checkFeeds(graph, values);
    checkLabels(elements);
    if (!queue.busy) return elements;
    return new Map([...elements].map(([name, array]) => [name, copyOf(array)]));
  }

  function prepare(values: Fed): void {
    if (workspace.user !== executable) workspace.user = undefined;
    if (linkedTo !== workspace.address) {
      link(program, plan, heap, address, workspace.address);
      linkedTo = workspace.address;
      workspace.user = undefined;
    }
    for (const [name, place] of feeds) {
      const elements = values.get(name) as ArrayLike<number>;
      const id = graph.inputs[name] as number;
      const view = graph.nodes[id]?.dtype === "int32" ? heap.integers : heap.floats;
      view(locate(place), elements.length).set(elements);
    }
  }

  /** Runs instructions by `run`, which is told which is the first: not what others and the host left as it was. */
  async function runFrom(run: (first: number) => Promise<void>): Promise<void> {
    const stays = workspace.user === executable && writesSeen === state?.writes;
    workspace.user = undefined;
    await run(stays ? program.lasting : 0);
    workspace.user = executable;
    writesSeen = state?.writes;
  }

  const locate = (place: Place) => addressOf(place, plan, workspace.address);

  function fetch(): Fetches {
    return Object.fromEntries(
      [...outputs].map(([name, { place, shape }]) => {
        const id = graph.outputs[name] as number;
        const view = graph.nodes[id]?.dtype === "int32" ? heap.integers : heap.floats;
        return [name, toNdArray(view(locate(place), sizeOf(shape)).slice(), shape)];
      }),
    );
  }

  const executable: Executable = {
    graph,
    workspaceBytes: plan.workspaceBytes,
    async run(values = {}) {
      checkAlive();
      const fed = take(values);
      return queue.enter(async () => {
        prepare(fed);
        await runFrom((first) => pool.run(address, first, instructions.length - first));
        return fetch();
      });
    },
    async profile(values = {}) {
      checkAlive();
      const fed = take(values);
      const times = new Map<number, number>();
      await queue.enter(async () => {
        prepare(fed);
        await runFrom(async (first) => {
          for (let i = first; i < instructions.length; i++) {
            const node = instructions[i]?.node as number;
            const start = performance.now();
            await pool.run(address, i, 1);
            times.set(node, (times.get(node) ?? 0) + performance.now() - start);
          }
        });
      });
      return [...times].map(([node, milliseconds]): NodeTime => ({ nodes: [node], milliseconds }));
    },
    async dispose() {
      lifetime.end();
      await queue.enter(() => {
        for (const block of owned.splice(0)) heap.free(block);
      });
    },
  };
  return executable;
}
