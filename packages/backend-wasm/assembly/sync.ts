// The barrier between threads.

// Some hundred microseconds: waking a sleeping thread costs tens of them on a virtual machine.
const SPINS = 100000;

/**
 * Waits until all threads have arrived. `at` holds four int32: arrived, generation, sleepers, and whether a thread
 * has stopped, which stops those that wait for it (see poison in src/engine/control.ts). Spins first, since threads
 * that share a plan mostly arrive soon after one another, then sleeps.
 */
export function barrier(at: usize, threads: i32): void {
  if (threads == 1) return;
  const generation = atomic.load<i32>(at, 4);
  // The mark is set before the generation changes: whoever misses it here does not wait below.
  if (atomic.load<i32>(at, 12) != 0) unreachable();
  if (atomic.add<i32>(at, 1) == threads - 1) {
    atomic.store<i32>(at, 0);
    atomic.store<i32>(at, generation + 1, 4);
    if (atomic.load<i32>(at, 8) > 0) atomic.notify(at + 4, threads);
    return;
  }
  let spins = 0;
  while (spins < SPINS && atomic.load<i32>(at, 4) == generation) spins++;
  if (spins == SPINS) {
    atomic.add<i32>(at, 1, 8);
    while (atomic.load<i32>(at, 4) == generation) atomic.wait<i32>(at + 4, generation, -1);
    atomic.sub<i32>(at, 1, 8);
  }
  if (atomic.load<i32>(at, 12) != 0) unreachable();
}
