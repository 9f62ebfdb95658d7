// How threads wait for each other and help each other: each counts what it has done where the others see it.

import { share } from "./common";

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

/** What a thread's line holds. */
@unmanaged
class Line {
  count: i32; // of instructions done, in all runs
  finished: i32; // chunks of its share of the current instruction
  claimed: i64; // the instruction's number << 32 | how many chunks somebody has claimed
}

function lineOf(control: usize, thread: i32): usize {
  return control + LINE + <usize>thread * LINE;
}

/** How many instructions a thread has done, in all runs. */
export function done(control: usize, thread: i32): i32 {
  return atomic.load<i32>(lineOf(control, thread));
}

/** Says that a thread has done `count` instructions. */
export function advance(control: usize, thread: i32, threads: i32, count: i32): void {
  const at = lineOf(control, thread);
  atomic.store<i32>(at, count);
  wake(control, at);
}

function wake(control: usize, at: usize): void {
  if (atomic.load<i32>(control, offsetof<Control>("sleepers")) > 0) atomic.notify(at);
}

/** Waits until all other threads have done `count` instructions. Counts may wrap round. */
export function awaitOthers(control: usize, thread: i32, threads: i32, count: i32): void {
  for (let other = 0; other < threads; other++) {
    if (other != thread) awaitCount(control, lineOf(control, other), count);
  }
  checkStopped(control);
}

function checkStopped(control: usize): void {
  if (atomic.load<i32>(control, offsetof<Control>("stopped")) != 0) unreachable();
}

/** Spins first, since threads that share a plan mostly arrive soon after one another, then sleeps. */
function awaitCount(control: usize, at: usize, count: i32): void {
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

// An instruction's work can be divided into chunks, of which each thread owns a share. A thread that is through with
// its own helps those that are at the same instruction, so that it need not wait for them later. It touches their
// memory then, which is theirs alone by the plan: so they go on only when all of their share is done.

let meeting: usize; // the control of the current run
let current: i32; // the number of the current instruction in all runs, from 1: no line holds it before it is offered

/** Says which instruction comes next, before it is begun. */
export function begin(control: usize, instruction: i32): void {
  meeting = control;
  current = instruction;
}

/** Offers a thread's share of the current instruction to all. */
export function offer(thread: i32): void {
  const line = lineOf(meeting, thread);
  atomic.store<i32>(line, 0, offsetof<Line>("finished"));
  atomic.store<i64>(line, <i64>current << 32, offsetof<Line>("claimed"));
}

/** The next of the `chunks` in a thread's share of the current instruction; -1 when none is left or to be had yet. */
export function claim(owner: i32, chunks: i32): i32 {
  const line = lineOf(meeting, owner);
  let claimed = atomic.load<i64>(line, offsetof<Line>("claimed"));
  while (<i32>(claimed >> 32) == current && <i32>claimed < chunks) {
    const found = atomic.cmpxchg<i64>(line, claimed, claimed + 1, offsetof<Line>("claimed"));
    if (found == claimed) return <i32>claimed;
    claimed = found;
  }
  return -1;
}

/** Says that a claimed chunk is done. */
export function finish(owner: i32): void {
  const at = lineOf(meeting, owner) + offsetof<Line>("finished");
  atomic.add<i32>(at, 1);
  wake(meeting, at);
}

/** Waits until the `chunks` of a thread's own share are done. */
export function awaitChunks(thread: i32, chunks: i32): void {
  awaitCount(meeting, lineOf(meeting, thread) + offsetof<Line>("finished"), chunks);
  checkStopped(meeting);
}

/**
 * Where a part of a thread's share of `all` units begins. A share whose sums must not depend on who helped is divided
 * into `parts` with sums of their own: the last ones of `tail` units, left to whoever is free, and before them the rest.
 */
export function partOf(all: i32, owner: i32, threads: i32, part: i32, parts: i32, tail: i32): i32 {
  const begin = share(all, owner, threads);
  if (part == 0) return begin;
  return max(begin, share(all, owner + 1, threads) - (parts - part) * tail);
}
