// What this browser has, and what the page does where something is missing.

/** One sentence for each thing that a user may wonder about. */
export async function browserNotes(): Promise<readonly string[]> {
  return [threads(), await webGpu(), hiddenTab];
}

const hiddenTab =
  "In a hidden tab the training pauses, and goes on when you come back: it would only warm your lap.";

function threads(): string {
  const cores = navigator.hardwareConcurrency;
  if (crossOriginIsolated) {
    return `Threads: this page may share memory (it is cross-origin isolated), so WebAssembly can use the ${cores} cores of this machine; automatic leaves one of them to the page.`;
  }
  return "Threads: this page may not share memory (SharedArrayBuffer needs cross-origin isolation, two headers that its server does not send), so WebAssembly runs on one thread; nothing else changes.";
}

async function webGpu(): Promise<string> {
  return (await hasWebGpu())
    ? "WebGPU: there is an adapter, to be chosen under More settings; steps of few small images gain nothing from it."
    : "WebGPU: this browser offers no adapter, so training runs on WebAssembly; if WebGPU is asked for, the page says so and uses WebAssembly.";
}

async function hasWebGpu(): Promise<boolean> {
  const { gpu } = navigator as { gpu?: { requestAdapter(): Promise<unknown> } };
  try {
    return Boolean(await gpu?.requestAdapter());
  } catch {
    return false;
  }
}
