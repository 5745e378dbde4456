import { constants } from 'node:os';
import { Worker } from 'node:worker_threads';
import { isRemoteMount, readMounts } from '../posix/mounts.js';
import { HELD_UP } from './held-up-numbers.js';
import { DEFAULT_STALL_MS } from './stall-report.js';

const BEAT_MS = 250;
/** What the shared numbers can hold. */
const MOST_MS = 0x7fffffff;
/** Where all file systems are the kernel's own, a program is not watched before so long: most have ended then. */
const LOCAL_START_MS = 1000;

const numbers = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT * Object.keys(HELD_UP).length));
Atomics.store(numbers, HELD_UP.stallMs, DEFAULT_STALL_MS);
let isWatched = false;

/** Calls that hold up the program's own thread are spoken of after so long. */
export function speakOfHeldUpAfter(ms: number): void {
  Atomics.store(numbers, HELD_UP.stallMs, Math.min(ms, MOST_MS));
}

/**
 * Has a thread look whether this one is held up by a single call of a file system, as many are that are not made in the
 * pool: of the state, of a report. It names what does not answer; and when a signal asks the program to end meanwhile,
 * which this thread cannot hear then, or has heard before, it ends the process after five seconds. Node hears signals from
 * its start on: so this is called before the first such call. What it is called with last holds.
 *
 * @returns to be called when this thread has heard a signal
 */
export function watchHeldUp(names: readonly NodeJS.Signals[], exitCode: number): () => void {
  const bits = names.map((name) => 1 << (constants.signals[name] - 1));
  Atomics.store(
    numbers,
    HELD_UP.signals,
    bits.reduce((all, bit) => all | bit, 0),
  );
  Atomics.store(numbers, HELD_UP.exitCode, exitCode);
  if (!isWatched) startWatch(mayHangSoon() ? 0 : LOCAL_START_MS);
  isWatched = true;
  return () => void Atomics.store(numbers, HELD_UP.isAsked, 1);
}

/** Whether something is mounted, or to be mounted when it is wanted, that is another machine's or another process'. */
function mayHangSoon(): boolean {
  return readMounts({ unmounted: true })?.some(isRemoteMount) ?? true;
}

function startWatch(delayMs: number): void {
  if (delayMs > 0) {
    setTimeout(() => startWatch(0), delayMs).unref();
    return;
  }
  const started = new Worker(new URL('./held-up-entry.js', import.meta.url), {
    workerData: numbers.buffer,
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 1 },
  });
  started.unref();
  // A program that is not watched does what it is there for all the same.
  started.on('error', () => undefined);
  setInterval(() => Atomics.add(numbers, HELD_UP.beat, 1), BEAT_MS).unref();
}
