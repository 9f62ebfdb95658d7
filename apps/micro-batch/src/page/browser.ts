// What this browser has, and what the page does where something is missing.

/**
 * One sentence for each thing that a user may wonder about.
 *
 * @param adapter whether there is a WebGPU adapter, if that is known yet
 */
export function browserNotes(adapter?: boolean): readonly string[] {
  return [threads(), ...(adapter === undefined ? [] : [webGpu(adapter)]), hiddenTab];
}

const hiddenTab =
  "In a hidden tab the training pauses, and goes on when you come back: it would only warm your lap.";

function threads(): string {
  const cores = navigator.hardwareConcurrency;
  if (crossOriginIsolated) {
    return `Threads: this page may share memory (it is cross-origin isolated), so WebAssembly can use the cores of this machine (${cores}); automatic takes four at most, and leaves one to the page; more than there are cores are never taken.`;
  }
  return "Threads: this page may not share memory (SharedArrayBuffer needs cross-origin isolation, two headers that its server does not send), so WebAssembly runs on one thread; nothing else changes.";
}

function webGpu(adapter: boolean): string {
  return adapter
    ? "WebGPU: there is an adapter, to be chosen under More settings; steps of few small images gain nothing from it."
    : "WebGPU: this browser offers no adapter, so training runs on WebAssembly; if WebGPU is asked for, the page says so and uses WebAssembly.";
}
