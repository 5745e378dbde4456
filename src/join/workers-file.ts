import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { WorkerPresence } from '../remote/presence.js';
import type { Clock } from '../time/clock.js';

/** Name of the file in the state directory that says who takes part. */
export const WORKERS_FILE = 'workers.json';

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

  /** Nobody takes part any more. */
  close(): void {
    this.#timer?.cancel();
    quietly(() => {
      this.#requireMine();
      rmSync(this.#path, { force: true });
    });
  }

  #write(): void {
    quietly(() => {
      this.#requireMine();
      writeFileSync(`${this.#path}.new`, JSON.stringify(this.#list()));
      renameSync(`${this.#path}.new`, this.#path);
    });
    this.#timer = this.#clock.after(WRITE_MS, () => this.#write());
  }
}

/** Removes what a session that was killed has left: nobody of it takes part in the next one. */
export function forgetWorkers(path: string): void {
  quietly(() => rmSync(path, { force: true }));
}

/** Who takes part in a job that runs; undefined where it has no workers. */
export function readWorkers(path: string): readonly WorkerPresence[] | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as readonly WorkerPresence[];
  } catch {
    return undefined;
  }
}

/** A job does not end because nobody can be told who works on it. */
function quietly(call: () => void): void {
  try {
    call();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
  }
}
