// How threads wait for each other: each counts what it has done where the others see it.

// Some hundred microseconds: waking a sleeping thread costs tens of them on a virtual machine.
const SPINS = 100000;
/** Bytes between the counts of two threads: a cache line, or they would slow each other down. */
const LINE = 64;

/** Where threads meet, see src/engine/control.ts. The counts of all threads follow. */
@unmanaged
class Control {
  stopped: i32; // whether a thread has stopped, which stops those that wait for it
  sleepers: i32;
}

/**
 * Sleeps until it is woken at an address, unless that no longer holds `seen`. In JavaScript: threads that slept in
 * wasm's own wait were seen not to go on in Node 20, for a reason that was not found.
 */
// @ts-ignore: decorator
@external("env", "sleepWhile")
declare function sleepWhile(at: usize, seen: i32): void;

function countOf(control: usize, thread: i32): usize {
  return control + LINE + <usize>thread * LINE;
}

/** How many instructions a thread has done, in all runs. */
export function done(control: usize, thread: i32): i32 {
  return atomic.load<i32>(countOf(control, thread));
}

/** Says that a thread has done `count` instructions. */
export function advance(control: usize, thread: i32, threads: i32, count: i32): void {
  const at = countOf(control, thread);
  atomic.store<i32>(at, count);
  if (atomic.load<i32>(control, offsetof<Control>("sleepers")) > 0) atomic.notify(at);
}

/** Waits until all other threads have done `count` instructions. Counts may wrap round. */
export function awaitOthers(control: usize, thread: i32, threads: i32, count: i32): void {
  for (let other = 0; other < threads; other++) {
    if (other != thread) awaitThread(control, countOf(control, other), count);
  }
  if (atomic.load<i32>(control, offsetof<Control>("stopped")) != 0) unreachable();
}

/** Spins first, since threads that share a plan mostly arrive soon after one another, then sleeps. */
function awaitThread(control: usize, at: usize, count: i32): void {
  for (let spins = 0; spins < SPINS; spins++) {
    if (atomic.load<i32>(at) - count >= 0) return;
  }
  atomic.add<i32>(control, 1, offsetof<Control>("sleepers"));
  for (;;) {
    const seen = atomic.load<i32>(at);
    // Who stops the threads changes the counts after the mark is set, so that none sleeps on.
    if (seen - count >= 0 || atomic.load<i32>(control, offsetof<Control>("stopped")) != 0) break;
    sleepWhile(at, seen);
  }
  atomic.sub<i32>(control, 1, offsetof<Control>("sleepers"));
}
