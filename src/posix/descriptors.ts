import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClfsError } from '../error.js';
import { quotePath } from '../text/escape-path.js';

/**
 * Descriptors that are left for what is opened and closed at once: blobs of a container on disk, the state's database,
 * connections.
 */
const SPARE_DESCRIPTORS = 16;
/** Descriptors that a thread takes by itself. */
const DESCRIPTORS_A_THREAD = 16;
const MOST_THREADS = 16;
const FIRST_WAIT_MS = 5;
const LONGEST_WAIT_MS = 250;
const PATIENCE_MS = 30_000;
const MOST_CAUSES = 8;

/** What the limit was when it was read last; the usual one when that has never been possible. */
let lastLimit = 1024;

/** How many descriptors the process may have open at once (its soft limit). */
function descriptorLimit(): number {
  try {
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'));
    if (limit) lastLimit = Number(limit[1]);
  } catch {
    // No /proc, or no descriptor to read it by.
  }
  return lastLimit;
}

/** How many descriptors the process, all of its threads together, may open in addition to those that are open now. */
function freeDescriptors(): number {
  try {
    // Reading the directory takes one itself.
    return Math.max(0, descriptorLimit() - (readdirSync('/proc/self/fd').length - 1));
  } catch {
    return 0;
  }
}

/**
 * A number of descriptors that may be open at once. Who wants one that stays open for a while takes a place first, and
 * gives it back after closing.
 *
 * The limit is that of the process: threads that each have places share it by {@link descriptorPlaces}.
 */
export class DescriptorPlaces {
  /** Places in all. */
  readonly count: number;
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** @param count places; at least one is given out */
  constructor(count: number) {
    this.count = Math.max(1, Math.floor(count));
    this.#free = this.count;
  }

  /** Places that nobody has. */
  get free(): number {
    return this.#free;
  }

  /** Waits for a place; who came first is served first. @returns gives the place back; a second call does nothing */
  async take(): Promise<() => void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.#release();
  }

  /** A place that is free now. @returns as {@link take}; undefined when there is none */
  tryTake(): (() => void) | undefined {
    if (this.#free === 0) return undefined;
    this.#free--;
    return this.#release();
  }

  #release(): () => void {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    };
  }
}

/**
 * Places for one of `sharers` (threads, say) that open descriptors: its part of what the process may still open, less
 * some that are spared.
 *
 * @param most no more than this, however many there are
 * @param each descriptors that one place stands for
 */
export function descriptorPlaces(
  most: number,
  options: { readonly sharers?: number; readonly each?: number } = {},
): DescriptorPlaces {
  const { sharers = 1, each = 1 } = options;
  return new DescriptorPlaces(Math.min(most, (freeDescriptors() - SPARE_DESCRIPTORS) / (sharers * each)));
}

/**
 * How many threads a job has beside the main one: not more than there are descriptors for.
 *
 * @param wanted default: one a processor, at most 16
 */
export function threadCount(wanted: number = Math.min(MOST_THREADS, availableParallelism())): number {
  const places = descriptorPlaces(wanted + 2, { each: DESCRIPTORS_A_THREAD }).count;
  return Math.max(0, Math.min(wanted, places - 2));
}

/**
 * Makes sure that there are descriptors for one thread at least: with fewer it would wait for them, and do nothing.
 *
 * @throws ClfsError `open-files`
 */
export function requireThreadDescriptors(): void {
  const free = freeDescriptors();
  const wanted = SPARE_DESCRIPTORS + DESCRIPTORS_A_THREAD;
  if (free >= wanted) return;
  throw new ClfsError(
    'open-files',
    `this process may have ${descriptorLimit()} files open at once, which leaves ${free}, and ${wanted} are the least that it works with: raise the limit with "ulimit -n", and start it again`,
  );
}

/**
 * Whether something failed, at its root, since the process (EMFILE) or the machine (ENFILE) has no further descriptor.
 */
export function isOutOfDescriptors(error: unknown): boolean {
  return shortage(error) !== undefined;
}

function shortage(error: unknown): 'EMFILE' | 'ENFILE' | undefined {
  let at = error;
  for (let depth = 0; at instanceof Error && depth < MOST_CAUSES; depth++) {
    const { errno, code } = at as { errno?: unknown; code?: unknown };
    for (const name of ['EMFILE', 'ENFILE'] as const) if (errno === name || code === name) return name;
    at = at.cause;
  }
  return undefined;
}

/**
 * Does `work`, and does it again after a while for as long as there is no descriptor for it: others will be closed.
 *
 * @param what is opened, for the message: a name or path, as text or as bytes
 * @throws ClfsError `open-files` when there was none for `patienceMs` (half a minute); whatever `work` throws for other
 * reasons
 */
export async function patiently<T>(
  what: string | Uint8Array,
  work: () => T | Promise<T>,
  options: { readonly signal?: AbortSignal; readonly patienceMs?: number } = {},
): Promise<T> {
  let until: number | undefined;
  for (let delayMs = FIRST_WAIT_MS; ; delayMs = Math.min(LONGEST_WAIT_MS, 2 * delayMs)) {
    try {
      return await work();
    } catch (error) {
      const name = shortage(error);
      if (name === undefined) throw error;
      until ??= performance.now() + (options.patienceMs ?? PATIENCE_MS);
      if (performance.now() >= until) throw outOfDescriptors(what, name, error);
    }
    await sleep(delayMs, undefined, { signal: options.signal });
  }
}

function outOfDescriptors(what: string | Uint8Array, name: 'EMFILE' | 'ENFILE', cause: unknown): ClfsError {
  const quoted = quotePath(Buffer.from(what.length === 0 ? '.' : what));
  const message =
    name === 'EMFILE'
      ? `Cannot open ${quoted}: all ${descriptorLimit()} files that this process may have open at once are open (EMFILE). Raise the limit with "ulimit -n", and start again.`
      : `Cannot open ${quoted}: the machine has as many files open as it can (ENFILE). Stop other programs or raise fs.file-max, and start again.`;
  return new ClfsError('open-files', message, { cause });
}
