// What can be chosen, its defaults, and how a link says it: the same for the page and the command.

/** Where a training computes. */
export type Engine = "wasm" | "webgpu";

/** One comparison. */
export interface Settings {
  /** What is compared, one to four: norms by name, `:whole` behind one whose batch is not split. */
  readonly methods: readonly string[];
  /** Images of a micro-batch: as many as memory is supposed to allow. */
  readonly micro: number;
  /** Images of a gradient step, a multiple of `micro`. */
  readonly batch: number;
  readonly learningRate: number;
  readonly seed: number;
  readonly engine: Engine;
  /** Threads of the WebAssembly engine; 0: chosen for the machine. */
  readonly threads: number;
}

export const defaults: Settings = {
  methods: ["bn", "gn:8", "bs:16", "vdn:16"],
  micro: 2,
  batch: 32,
  learningRate: 0.03,
  seed: 1,
  engine: "wasm",
  threads: 0,
};

export const mostMethods = 4;

/** What stands behind a norm whose batch is not split. */
export const unsplit = ":whole";

/** A norm's name with its sizes, mixture and gradient; whether there is one, the training finds out. */
const methodPattern = /^[a-z0-9]+[a-z0-9:+*@./-]*$/i;

/** What is wrong with a micro-batch for a batch; undefined if nothing is. */
export function splitProblem(batch: number, micro: number): string | undefined {
  if (batch % micro === 0) return undefined;
  return `a batch of ${batch} images cannot be split into micro-batches of ${micro}`;
}

/** Settings as the part of a link behind `#`; `settingsOf` reads it. Backends and threads are left out where they are the default. */
export function hashOf(settings: Settings): string {
  const { methods, micro, batch, learningRate, seed, engine, threads } = settings;
  const parts = [
    `methods=${methods.join(",")}`,
    `micro=${micro}`,
    `batch=${batch}`,
    `lr=${learningRate}`,
    `seed=${seed}`,
    ...(engine === defaults.engine ? [] : [`engine=${engine}`]),
    ...(threads === defaults.threads ? [] : [`threads=${threads}`]),
  ];
  return `#${parts.join("&")}`;
}

type Read = (text: string) => Partial<Settings> | undefined;

const whenWhole =
  (least: number, most: number, settings: (value: number) => Partial<Settings>): Read =>
  (text) => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    return value >= least && value <= most ? settings(value) : undefined;
  };

const readers: Readonly<Record<string, Read>> = {
  methods(text) {
    const methods = [...new Set(text.split(","))];
    const good = methods.length <= mostMethods && methods.every((name) => methodPattern.test(name));
    return good ? { methods } : undefined;
  },
  micro: whenWhole(1, 1024, (micro) => ({ micro })),
  batch: whenWhole(1, 1024, (batch) => ({ batch })),
  lr(text) {
    const learningRate = /^[\d.]+(e[-+]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
    return learningRate >= 0.0001 && learningRate <= 10 ? { learningRate } : undefined;
  },
  seed: whenWhole(0, Number.MAX_SAFE_INTEGER, (seed) => ({ seed })),
  engine: (text) => (text === "wasm" || text === "webgpu" ? { engine: text } : undefined),
  threads: whenWhole(0, 256, (threads) => ({ threads })),
};

/**
 * Settings from a link. What it does not say, or says in a way that cannot be, is the default; `problems` names
 * the latter.
 */
export function settingsOf(hash: string): { settings: Settings; problems: readonly string[] } {
  const problems: string[] = [];
  let settings = defaults;
  for (const part of hash.replace(/^#/, "").split("&")) {
    if (part === "") continue;
    const [name = "", text = ""] = decode(part).split(/=(.*)/s);
    const read = Object.hasOwn(readers, name) ? readers[name] : undefined;
    const value = read?.(text);
    if (value === undefined) problems.push(`${name}=${text}`);
    else settings = { ...settings, ...value };
  }
  const problem = splitProblem(settings.batch, settings.micro);
  if (problem === undefined) return { settings, problems };
  const { batch, micro } = defaults;
  return { settings: { ...settings, batch, micro }, problems: [...problems, problem] };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
