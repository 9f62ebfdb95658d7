// Gives the event loop a turn: signals, timers and events come through between two steps.

/**
 * Resolves after what is waiting in the event loop. A backend may compute on the calling thread and then
 * resolve at once: without a turn, a loop over it would never let anything else run.
 */
export function turn(): Promise<void> {
  const { setImmediate: immediate } = globalThis as { setImmediate?: (done: () => void) => void };
  return new Promise((resolve) => {
    if (immediate !== undefined) immediate(resolve);
    else setTimeout(resolve);
  });
}
