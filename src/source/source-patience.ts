import { setTimeout as sleep } from 'node:timers/promises';
import { isTransient, mountOf, mountPointsOf, outageOf, PAUSES_MS, rootAnswers } from './source-away.js';
import type { SourcePace } from './source-pace.js';
import type { SourceTree } from './source-tree.js';

/** What {@link SourcePatience} works with. */
export interface PatienceParts {
  readonly source: SourceTree;
  /** Where it is told what is waited for. */
  readonly pace: SourcePace;
  /** When it is aborted, nothing is waited for any more; its reason is thrown. */
  readonly signal?: AbortSignal;
  /** Default: 1, 3 and 5 s. */
  readonly pausesMs?: readonly number[];
}

/**
 * Waits for a source that is away, for whoever only reads it and keeps nothing of what was read.
 *
 * What fails as calls do while a server is away has the root of its file system asked. While that does not answer either,
 * it is tried again and again; when it does, what fails once more has failed.
 */
export class SourcePatience {
  readonly #parts: PatienceParts;
  readonly #pausesMs: readonly number[];
  readonly #probes = new Map<string, Promise<boolean>>();

  constructor(parts: PatienceParts) {
    this.#parts = parts;
    this.#pausesMs = parts.pausesMs ?? PAUSES_MS;
  }

  /**
   * Reads something of the source. Where nothing fails, that is all.
   *
   * @param path of the directory, and `name` in it
   * @throws what `read` throws in the end; the reason of the signal
   */
  read<T>(path: Buffer, name: Uint8Array, read: () => T | Promise<T>): T | Promise<T> {
    try {
      const made = read();
      return made instanceof Promise ? made.catch((error: unknown) => this.#again(path, name, error, read)) : made;
    } catch (error) {
      return this.#again(path, name, error, read);
    }
  }

  async #again<T>(path: Buffer, name: Uint8Array, error: unknown, read: () => T | Promise<T>): Promise<T> {
    const { pace, signal } = this.#parts;
    let last = error;
    const answered = pace.waitsBeside(path, name);
    let isThere = false;
    try {
      for (let tries = 1; ; tries++) {
        const errno = outageOf(last);
        if (errno === undefined) throw last;
        const wasThere = isThere;
        isThere = !isTransient(errno, tries) && (await this.#answers(path));
        // Once more when the root answers: it may do so since a moment only.
        if (isThere && wasThere) throw last;
        const pauseMs = isThere ? 0 : this.#pausesMs[Math.min(tries, this.#pausesMs.length) - 1];
        await sleep(pauseMs, undefined, { signal }).catch(() => signal?.throwIfAborted());
        try {
          return await read();
        } catch (thrown) {
          last = thrown;
        }
      }
    } finally {
      answered();
    }
  }

  /** Whether the root of the file system that a path is on answers: that of the source, or one that is mounted below. */
  #answers(path: Buffer): Promise<boolean> {
    const { source } = this.#parts;
    const root = mountOf(path, mountPointsOf(source));
    const key = root.toString('latin1');
    let probe = this.#probes.get(key);
    if (!probe) {
      // Many fail at once.
      probe = rootAnswers(source, root).finally(() => this.#probes.delete(key));
      this.#probes.set(key, probe);
    }
    return probe;
  }
}
