// One comparison in its worker, as the page handles it: pause, resume, stop.

import type { Settings } from "../settings.ts";
import type { Command, Report } from "./messages.ts";

export interface Run {
  pause(): void;
  resume(): void;
  /** Ends it at once, with all that it holds. */
  stop(): void;
}

/** @param seen called with what the worker reports, until `stop` */
export function startRun(settings: Settings, seen: (report: Report) => void): Run {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  const say = (command: Command) => worker.postMessage(command);
  let stopped = false;
  worker.onmessage = ({ data }: MessageEvent<Report>) => {
    if (!stopped) seen(data);
  };
  worker.onerror = ({ message }) => {
    const reason = message || "the worker's script could not be loaded";
    if (!stopped) seen({ type: "ended", reason });
  };
  say({ type: "start", settings });
  return {
    pause: () => say({ type: "pause" }),
    resume: () => say({ type: "resume" }),
    stop() {
      stopped = true;
      worker.terminate();
    },
  };
}
