// The peer PyTorch on a GPU, as far as that can be tested without one.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { key } from "@fewnorm/tensor";
import test from "tape";
import { type JobOptions, writeJob } from "../src/peers/job.ts";
import { knownPeersOn } from "../src/peers/known-peers.ts";
import { type PeerProcess, startPeer, type Work } from "../src/peers/peer-process.ts";

const peers = fileURLToPath(new URL("../../peers/", import.meta.url));
const fixtures = fileURLToPath(new URL("../../test/fixtures/peers/", import.meta.url));

const pythons = [process.env.PYTHON ?? "python3", "/usr/bin/python3"];
const python = pythons.find((one) => spawnSync(one, ["-c", "import torch"]).status === 0);
const skip = python === undefined && "no Python here has PyTorch";

const [batch, threads] = [4, 1];
const network = { model: "resnet20", batch };
const layer = { layer: [4, 6, 5, 3] };

/** A peer that is given this, until `use` has done with it. */
async function withPeer<T>(
  script: string,
  { backend, ...rest }: Pick<JobOptions, "subject" | "norm" | "backend">,
  use: (peer: PeerProcess | { readonly missing: string }) => Promise<T>,
): Promise<T> {
  const job = await writeJob({ ...rest, backend, threads, packages: ".", key: key(1) });
  const { signal } = new AbortController();
  try {
    const peer = await startPeer([python as string, script], {
      ...{ jobFile: job.file, patience: 100, signal },
    });
    try {
      return await use(peer);
    } finally {
      if ("stop" in peer) await peer.stop();
    }
  } finally {
    await job.dispose();
  }
}

/** What each setting computes: at first, and after steps of two sizes. */
async function resultsOf(peer: PeerProcess | { readonly missing: string }, work: Work) {
  if ("missing" in peer) throw new Error(peer.missing);
  const results = new Map<string, number[]>();
  for (const setting of peer.greeting.works[work]?.settings ?? []) {
    await peer.ask({ do: "prepare", work, setting, batch });
    const logits = async () => (await peer.ask({ do: "logits" })).logits as number[];
    const found = await logits();
    for (const learningRate of [0.01, 0.002]) await peer.ask({ do: "step", learningRate });
    results.set(setting, [...found, ...(await logits())]);
  }
  return { name: peer.greeting.name, results };
}

const cases = [
  { norm: "bn", work: "training", subject: network, count: 8 },
  { norm: "none", work: "training", subject: network, count: 8 },
  { norm: "bn", work: "inference", subject: network, count: 8 },
  { norm: "bn", work: "layer", subject: layer, count: 4 },
] as const;

for (const { norm, work, subject, count } of cases) {
  test(`PyTorch: ${norm}, ${work}: settings on a card compute what those on the processor do`, {
    skip,
  }, async (t) => {
    const own = await withPeer(`${peers}pytorch.py`, { subject, norm, backend: "wasm" }, (peer) =>
      resultsOf(peer, work),
    );
    const card = await withPeer(
      `${fixtures}imaginary_card.py`,
      { subject, norm, backend: "gpu:webgpu" },
      (peer) => resultsOf(peer, work),
    );
    t.match(card.name, /^PyTorch \S+ \(Imaginary\)$/, "names the card");
    t.equal(card.results.size, count);
    const expected = own.results.get("NCHW") as number[];
    const largest = Math.max(...expected.map(Math.abs));
    for (const [setting, found] of card.results) {
      const off = Math.max(...expected.map((value, i) => Math.abs(value - (found[i] as number))));
      // float32's rounding, which two steps multiply; a lost step or momentum is off by more than 0.01.
      t.ok(found.length === expected.length && off < 2e-3 * largest, `${setting}: off by ${off}`);
    }
  });
}

test("PyTorch: a GPU is asked for, and CUDA is not there", {
  skip: skip || (cuda() && "CUDA is there"),
}, async (t) => {
  const terms = { subject: layer, norm: "bn", backend: "gpu" };
  const answer = await withPeer(`${peers}pytorch.py`, terms, async (peer) => peer);
  t.deepEqual(answer, { missing: "PyTorch has no CUDA device here" });
});

function cuda(): boolean {
  const asked = "import sys, torch; sys.exit(not torch.cuda.is_available())";
  return spawnSync(python as string, ["-c", asked]).status === 0;
}

test("peers beside a GPU are those that can compute on one", async (t) => {
  const namesOn = (device: "cpu" | "gpu") => knownPeersOn(device).map(({ name }) => name);
  t.deepEqual(namesOn("gpu"), ["PyTorch"]);
  t.equal(namesOn("cpu").length, 4);
});
