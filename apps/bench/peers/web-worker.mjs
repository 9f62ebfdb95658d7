// The part of a browser's Worker that jax-js takes, made of Node's.

import { resolveObjectURL } from "node:buffer";
import { Worker } from "node:worker_threads";

const prelude = `
const { parentPort } = require("node:worker_threads");
globalThis.self = globalThis;
globalThis.postMessage = (message) => parentPort.postMessage(message);
parentPort.on("message", (data) => self.onmessage({ data }));
`;

export class WebWorker {
  onmessage = (_) => {};
  onerror = (_) => {};
  #started;

  /** @param {string} url a blob's */
  constructor(url) {
    const blob = resolveObjectURL(url);
    this.#started = blob.text().then((source) => {
      const worker = new Worker(`${prelude}${source}`, { eval: true });
      worker.on("message", (data) => this.onmessage({ data }));
      worker.on("error", (error) => this.onerror(error));
      return worker;
    });
  }

  postMessage(message) {
    this.#started.then((worker) => worker.postMessage(message));
  }
}
