import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { WorkerPresence } from '../remote/presence.js';
import type { Clock } from '../time/clock.js';

/** Name of the file in the state directory that says who takes part. */
export const WORKERS_FILE = 'workers.json';
/** Name of the file beside it that says who took part in the latest session, as it stood last. */
export const LAST_WORKERS_FILE = 'last-workers.json';

const WRITE_MS = 500;

/**
 * Says in a file who takes part in a job, for whoever asks for its status meanwhile. It is no part of the state: nothing
 * is lost with it.
 */
export class WorkersFile {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #list: () => readonly WorkerPresence[];
  readonly #requireMine: () => void;
  #timer: { cancel(): void } | undefined;

  /** @param requireMine throws when somebody else goes on with the job, whose file it is then */
  constructor(path: string, clock: Clock, list: () => readonly WorkerPresence[], requireMine: () => void) {
    this.#path = path;
    this.#clock = clock;
    this.#list = list;
    this.#requireMine = requireMine;
    this.#write();
  }

  /** Nobody takes part any more. Who did stays told, for whoever looks at what the session was. */
  close(): void {
    this.#timer?.cancel();
    const list = this.#list();
    if (list.length > 0) this.#put(lastFile(this.#path), list);
    quietly(() => {
      this.#requireMine();
      rmSync(this.#path, { force: true });
    });
  }

  #write(): void {
    this.#put(this.#path, this.#list());
    this.#timer = this.#clock.after(WRITE_MS, () => this.#write());
  }

  #put(path: string, list: readonly WorkerPresence[]): void {
    quietly(() => {
      this.#requireMine();
      writeFileSync(`${path}.new`, JSON.stringify(list));
      renameSync(`${path}.new`, path);
    });
  }
}

/** Removes what a session before has left: nobody of it takes part in the next one. */
export function forgetWorkers(path: string): void {
  for (const file of [path, lastFile(path)]) quietly(() => rmSync(file, { force: true }));
}

function lastFile(path: string): string {
  return join(dirname(path), LAST_WORKERS_FILE);
}

/** Who takes part, as such a file says; undefined where there is none, or where it says something else. */
export function readWorkers(path: string): readonly WorkerPresence[] | undefined {
  try {
    const list: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return Array.isArray(list) && list.every(isPresence) ? list : undefined;
  } catch {
    return undefined;
  }
}

const AMOUNTS = ['threads', 'tasks', 'unitsPerSecond', 'bytesPerSecond', 'units', 'bytes'] as const;
/** What a moment can be, in milliseconds since 1970. */
const LATEST_MS = 8.64e15;

function isPresence(value: unknown): value is WorkerPresence {
  if (typeof value !== 'object' || value === null) return false;
  const { name, sinceMs, isSlow, trouble, goneMs, ...amounts }: Partial<Record<string, unknown>> = { ...value };
  return (
    typeof name === 'string' &&
    isAmount(sinceMs, LATEST_MS) &&
    AMOUNTS.every((amount) => isAmount(amounts[amount])) &&
    typeof isSlow === 'boolean' &&
    (trouble === undefined || typeof trouble === 'string') &&
    (goneMs === undefined || isAmount(goneMs, LATEST_MS))
  );
}

function isAmount(value: unknown, most = Number.MAX_VALUE): boolean {
  return typeof value === 'number' && value >= 0 && value <= most;
}

/** A job does not end because nobody can be told who works on it. */
function quietly(call: () => void): void {
  try {
    call();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
  }
}
