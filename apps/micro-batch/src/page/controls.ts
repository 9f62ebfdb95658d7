// The form: shows settings and says when they change.

import { type Engine, mostMethods, type Settings, splitProblem } from "../settings.ts";
import { byId, make } from "./dom.ts";
import { offers } from "./methods.ts";

export interface Controls {
  /** Shows settings, without saying that they changed. */
  show(settings: Settings): void;
}

const micros = [1, 2, 4, 8, 16, 32];
const batches = [32, 64, 128];
const threadCounts = [0, 1, 2, 4, 8].filter((n) => n <= navigator.hardwareConcurrency);
const fewestMethods = 2;

/** @param changed called with settings that can be trained with */
export function createControls(changed: (settings: Settings) => void): Controls {
  const methods = byId("methods");
  const [micro, batch] = [byId<HTMLSelectElement>("micro"), byId<HTMLSelectElement>("batch")];
  const [rate, seed] = [byId<HTMLInputElement>("rate"), byId<HTMLInputElement>("seed")];
  const [engine, threads] = [byId<HTMLSelectElement>("engine"), byId<HTMLSelectElement>("threads")];
  const boxes = () => [...methods.querySelectorAll<HTMLInputElement>("input")];
  const chosen = () =>
    boxes()
      .filter(({ checked }) => checked)
      .map(({ value }) => value);

  function read(): Settings {
    return {
      methods: chosen(),
      micro: Number(micro.value),
      batch: Number(batch.value),
      learningRate: Number(rate.value),
      seed: Number(seed.value),
      engine: engine.value as Engine,
      threads: Number(threads.value),
    };
  }

  /** No more and no fewer than can be compared: the others can't be chosen, or unchosen. */
  function limitMethods(): void {
    const count = chosen().length;
    for (const box of boxes()) {
      box.disabled = box.checked ? count <= fewestMethods : count >= mostMethods;
    }
  }

  function showMicros(settings: Settings): void {
    const possible = micros.filter((m) => splitProblem(settings.batch, m) === undefined);
    fill(micro, possible, settings.micro, (m) => `${m} ${m === 1 ? "image" : "images"}`);
  }

  function change(): void {
    limitMethods();
    if (!rate.reportValidity() || !seed.reportValidity()) return;
    const settings = read();
    if (settings.methods.length === 0) return;
    const split = splitProblem(settings.batch, settings.micro) === undefined;
    const possible = split ? settings : { ...settings, micro: 2 };
    showMicros(possible);
    changed(possible);
  }

  if (!crossOriginIsolated) {
    threads.disabled = true;
    byId("threads-note").textContent =
      "One thread, whatever stands here: this page may not share memory (see In this browser).";
  }
  byId("settings").addEventListener("change", change);
  byId("settings").addEventListener("submit", (event) => event.preventDefault());

  return {
    show(settings) {
      const known = offers.filter(({ name }) => !settings.methods.includes(name));
      const all = [...settings.methods.map(offerOf), ...known];
      const inOrder = [
        ...offers,
        ...all.filter(({ name }) => !offers.some((o) => o.name === name)),
      ];
      methods.replaceChildren(
        ...inOrder.map(({ name, meaning }) => {
          const box = make("input", { type: "checkbox", value: name });
          box.checked = settings.methods.includes(name);
          return make("label", {}, box, make("code", {}, name), make("span", {}, ` ${meaning}`));
        }),
      );
      limitMethods();
      showMicros(settings);
      fill(batch, batches, settings.batch, (n) => `${n} images`);
      fill(threads, threadCounts, settings.threads, (n) => (n === 0 ? "automatic" : `${n}`));
      rate.value = `${settings.learningRate}`;
      seed.value = `${settings.seed}`;
      engine.value = settings.engine;
    },
  };
}

const offerOf = (name: string) =>
  offers.find((offer) => offer.name === name) ?? { name, meaning: "from the link" };

/** The usual choices, and the one that is made if it is another. */
function fill(
  select: HTMLSelectElement,
  usual: readonly number[],
  value: number,
  describe: (value: number) => string,
): void {
  const values = [...new Set([...usual, value])].sort((a, b) => a - b);
  select.replaceChildren(
    ...values.map((one) => make("option", { value: `${one}` }, describe(one))),
  );
  select.value = `${value}`;
}
