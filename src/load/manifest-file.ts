import { createReadStream, createWriteStream, fdatasyncSync, fstatSync, ftruncateSync, openSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import { ClfsError, messageOf } from '../error.js';
import { closeQuietly } from '../posix/close-quietly.js';
import { beginReplacement, type Replacement } from '../posix/replace-file.js';
import { writeWhole } from '../posix/write-whole.js';
import type { JobState } from '../state/job-state.js';
import { LastLines } from './last-lines.js';

const NAME = 'manifest.jsonl';

/**
 * The manifest of a load while it grows: a file in the state directory, of which the state records how much counts.
 *
 * What a transaction appended counts when the transaction does.
 */
export class ManifestFile {
  readonly #path: string;
  readonly #state: JobState;
  readonly #fd: number;
  #bytes: number;
  #dirty = false;
  /** Whether nothing is in the file but what counts, and what this transaction has appended. */
  #isCut = false;

  /** @param file path of a file in the state directory @throws ClfsError `state` when recorded lines are missing */
  constructor(file: (name: string) => string, state: JobState) {
    this.#path = file(NAME);
    this.#state = state;
    this.#bytes = state.record.manifestBytes ?? 0;
    this.#fd = openSync(this.#path, 'a');
    if (fstatSync(this.#fd).size < this.#bytes) {
      closeQuietly(this.#fd);
      throw this.#lost();
    }
    state.beforeCommit(
      () => this.#record(),
      () => this.#forget(),
    );
  }

  /** Adds lines; inside a transaction. */
  append(lines: readonly string[]): void {
    if (lines.length === 0) return;
    this.#cut();
    this.#bytes += writeWhole(this.#fd, Buffer.from(`${lines.join('\n')}\n`));
    this.#dirty = true;
  }

  /** What was loaded at a path, and below it, is given up: lines so far do not count; inside a transaction. */
  giveUp(path: Uint8Array): void {
    this.append([JSON.stringify({ given_up_hex: Buffer.from(path).toString('hex') })]);
  }

  /** An inode has so many names now: their lines so far say so; inside a transaction. */
  relink(paths: readonly Uint8Array[], linkCount: number): void {
    this.append(
      paths.map((path) => JSON.stringify({ relinked_hex: Buffer.from(path).toString('hex'), nlink: linkCount })),
    );
  }

  /**
   * Copies it to where the user wants it; whole or not at all, but to a device or a pipe.
   *
   * An entry that was loaded again in a repair has several lines, of which the last one counts: with `repaired` only
   * that one is copied.
   *
   * @throws ClfsError `usage`; `state` when it is not as long as what is recorded of it; `state-busy`
   */
  async copyTo(target: string, repaired: boolean): Promise<void> {
    this.#state.transact(() => {
      this.#cut();
      this.#requireLength();
    });
    let replacement: Replacement | undefined;
    const last = new LastLines();
    try {
      replacement = beginReplacement(target);
      const { path, flags } = replacement;
      // A device or a pipe has nothing to be made durable.
      const output = () => createWriteStream(path, { flags, flush: flags === 'wx' });
      if (!repaired) await pipeline(createReadStream(this.#path), output());
      else {
        let number = 0;
        for await (const line of this.#lines()) last.take(line, number++);
        const current = this.#lines();
        await pipeline(async function* () {
          let at = 0;
          for await (const line of current) {
            const counting = last.asItCounts(line, at++);
            if (counting !== undefined) yield `${counting}\n`;
          }
        }, output());
      }
      replacement.finish();
    } catch (error) {
      replacement?.abandon();
      throw new ClfsError(
        'usage',
        `Cannot write the manifest ${JSON.stringify(target)}: ${messageOf(error)}. It is in ${JSON.stringify(this.#path)} too.`,
        {
          cause: error,
        },
      );
    } finally {
      last.close();
    }
  }

  close(): void {
    closeQuietly(this.#fd);
  }

  #lines(): AsyncIterable<string> {
    return createInterface({ input: createReadStream(this.#path), crlfDelay: Number.POSITIVE_INFINITY });
  }

  #record(): void {
    if (!this.#dirty) return;
    this.#requireLength();
    fdatasyncSync(this.#fd);
    this.#state.update({ manifestBytes: this.#bytes });
    this.#dirty = false;
  }

  /** What was appended since the last commit does not count. */
  #forget(): void {
    this.#bytes = this.#state.record.manifestBytes ?? 0;
    this.#dirty = false;
    this.#isCut = false;
  }

  /**
   * Takes off what does not count; inside a transaction: only there it is certain that no other process goes on with the
   * job, whose lines that would be.
   */
  #cut(): void {
    if (this.#isCut) return;
    const { size } = fstatSync(this.#fd);
    if (size < this.#bytes) throw this.#lost();
    if (size > this.#bytes) ftruncateSync(this.#fd, this.#bytes);
    this.#isCut = true;
  }

  /** A line that is lost, or that somebody else added, would be told by nobody later. @throws ClfsError `state` */
  #requireLength(): void {
    const { size } = fstatSync(this.#fd);
    if (size < this.#bytes) throw this.#lost();
    if (size > this.#bytes)
      throw new ClfsError(
        'state',
        `The manifest ${JSON.stringify(this.#path)} has ${size} bytes, and should have ${this.#bytes}: something else has written to it. Go on with --new-session=false: what is too much is taken off then.`,
      );
  }

  #lost(): ClfsError {
    return new ClfsError(
      'state',
      `The manifest ${JSON.stringify(this.#path)} has lost lines that were recorded. Put it back; or load anew, with another --state-path and an empty container. Of a load that has ended, "clfsload manifest --hash" with the container writes another one.`,
    );
  }
}
