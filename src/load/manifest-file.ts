import {
  closeSync,
  createReadStream,
  createWriteStream,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
} from 'node:fs';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import { ClfsError, messageOf } from '../error.js';
import { beginReplacement, type Replacement } from '../posix/replace-file.js';
import { writeWhole } from '../posix/write-whole.js';
import type { JobState } from '../state/job-state.js';

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

  /** Opens it at the length that is recorded. @param file path of a file in the state directory */
  constructor(file: (name: string) => string, state: JobState) {
    this.#path = file(NAME);
    this.#state = state;
    this.#bytes = state.record.manifestBytes ?? 0;
    this.#fd = openSync(this.#path, 'a');
    if (fstatSync(this.#fd).size < this.#bytes) {
      closeSync(this.#fd);
      throw new ClfsError(
        'state',
        `The manifest ${JSON.stringify(this.#path)} has lost lines that were recorded. Put it back, or load anew with another --state-path and an empty container.`,
      );
    }
    ftruncateSync(this.#fd, this.#bytes);
    state.beforeCommit(
      () => this.#record(),
      () => this.#forget(),
    );
  }

  /** Adds lines; inside a transaction. */
  append(lines: readonly string[]): void {
    if (lines.length === 0) return;
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
   * @throws ClfsError `usage`
   */
  async copyTo(target: string, repaired: boolean): Promise<void> {
    let replacement: Replacement | undefined;
    try {
      replacement = beginReplacement(target);
      const { path, flags } = replacement;
      // A device or a pipe has nothing to be made durable.
      const output = () => createWriteStream(path, { flags, flush: flags === 'wx' });
      if (!repaired) await pipeline(createReadStream(this.#path), output());
      else {
        const last = new LastLines();
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
    }
  }

  close(): void {
    closeSync(this.#fd);
  }

  #lines(): AsyncIterable<string> {
    return createInterface({ input: createReadStream(this.#path), crlfDelay: Number.POSITIVE_INFINITY });
  }

  #record(): void {
    if (!this.#dirty) return;
    fdatasyncSync(this.#fd);
    this.#state.update({ manifestBytes: this.#bytes });
    this.#dirty = false;
  }

  /** What was appended since the last commit does not count. */
  #forget(): void {
    this.#bytes = this.#state.record.manifestBytes ?? 0;
    this.#dirty = false;
    ftruncateSync(this.#fd, this.#bytes);
  }
}

/** Which lines count of a manifest that grew in several sessions. */
class LastLines {
  /** By hex path: number of the last line. */
  readonly #last = new Map<string, number>();
  /** By hex path: number of the line by which it was given up. */
  readonly #givenUp = new Map<string, number>();
  /** By hex path: the latest change of its link count. */
  readonly #relinked = new Map<string, { readonly number: number; readonly linkCount: number }>();

  take(line: string, number: number): void {
    const path = PATH.exec(line)?.[1];
    if (path !== undefined) {
      this.#last.set(path, number);
      return;
    }
    const givenUp = GIVEN_UP.exec(line)?.[1];
    if (givenUp !== undefined) this.#givenUp.set(givenUp, number);
    const [, relinked, linkCount] = RELINKED.exec(line) ?? [];
    if (relinked !== undefined) this.#relinked.set(relinked, { number, linkCount: Number(linkCount) });
  }

  /** @returns undefined when the line counts no more, or is no entry's */
  asItCounts(line: string, number: number): string | undefined {
    const path = PATH.exec(line)?.[1];
    if (path === undefined || this.#last.get(path) !== number || this.#isGivenUp(path, number)) return undefined;
    const relinked = this.#relinked.get(path);
    if (!relinked || relinked.number < number) return line;
    const entry = JSON.parse(line) as Record<string, unknown>;
    entry.nlink = relinked.linkCount;
    if (relinked.linkCount === 1) delete entry.link_group;
    return JSON.stringify(entry);
  }

  /** Whether the path, or a directory above it, was given up after the line. */
  #isGivenUp(path: string, number: number): boolean {
    if (this.#givenUp.size === 0) return false;
    for (let end = 2; end <= path.length; end += 2) {
      const complete = end === path.length || path.startsWith(SLASH_HEX, end);
      if (complete && (this.#givenUp.get(path.slice(0, end)) ?? -1) > number) return true;
    }
    return false;
  }
}

const SLASH_HEX = '2f';
const PATH = /"path_hex":"([0-9a-f]*)"/;
const GIVEN_UP = /^{"given_up_hex":"([0-9a-f]+)"}$/;
const RELINKED = /^{"relinked_hex":"([0-9a-f]+)","nlink":(\d+)}$/;
