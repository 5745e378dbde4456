import { readFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { workerData } from 'node:worker_threads';
import { HELD_UP } from './held-up-numbers.js';
import { heldUpPath } from './held-up-path.js';

/** Beside the thread that may be held up: what it waits for, and whether it is asked to end meanwhile. */

const LOOK_MS = 250;
/** A look that comes later than this was held up itself: the whole process was. */
const LATE_MS = 1000;
/** So long a call may go on after a signal. */
const LAST_ANSWER_MS = 5000;
const STANDARD_ERROR = 2;

const shared = new Int32Array(workerData as SharedArrayBuffer);
let heldSinceMs = performance.now();
let lookedMs = heldSinceMs;
let askedSinceMs: number | undefined;
let held = '';
let isTold = false;

setInterval(() => {
  const now = performance.now();
  const call = callOf(process.pid);
  const at = `${Atomics.load(shared, HELD_UP.beat)} ${call}`;
  const wasLate = now - lookedMs > LATE_MS;
  lookedMs = now;
  if (at !== held || wasLate || call === undefined) {
    held = at;
    heldSinceMs = now;
    askedSinceMs = undefined;
    isTold = false;
    return;
  }
  const heldMs = now - heldSinceMs;
  if (heldMs >= LATE_MS && (Atomics.load(shared, HELD_UP.isAsked) === 1 || isPending())) askedSinceMs ??= now;
  if (!isTold && heldMs >= Atomics.load(shared, HELD_UP.stallMs)) {
    isTold = true;
    const since = new Date(Date.now() - heldMs).toISOString().slice(0, 19);
    say(`A file system has not answered since ${since}Z: ${heldUpPath(call)}`);
  }
  if (askedSinceMs !== undefined && now - askedSinceMs >= LAST_ANSWER_MS) {
    say(`Stopped without waiting any longer for a file system that does not answer: ${heldUpPath(call)}`);
    exitAtOnce();
  }
}, LOOK_MS);

/** The call of the system that a thread waits in, as the kernel has it; undefined: it runs, or that is not told. */
function callOf(thread: number): string | undefined {
  try {
    const text = readFileSync(`/proc/self/task/${thread}/syscall`, 'latin1').trim();
    return /^\d/.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a signal waits for the process that nobody takes: the thread that would is in a call that only ends with it. */
function isPending(): boolean {
  const pending = /^ShdPnd:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'latin1'));
  // Those that are asked for are among the first 32.
  const bits = Number.parseInt(pending?.[1].slice(-8) ?? '0', 16);
  return (bits & Atomics.load(shared, HELD_UP.signals)) !== 0;
}

function say(text: string): void {
  try {
    writeSync(STANDARD_ERROR, `${text}\n`);
  } catch {
    // Nobody reads it.
  }
}

/** Nothing is loaded by the thread pool any more, which calls that hang may fill. */
function exitAtOnce(): void {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi').default;
  koffi.load(null as unknown as string).func('void _exit(int)')(Atomics.load(shared, HELD_UP.exitCode));
}
