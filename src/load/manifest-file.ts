import { closeSync, createReadStream, createWriteStream, fdatasyncSync, fstatSync, ftruncateSync, openSync, renameSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import { ClfsError, messageOf } from '../error.js';
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

  /**
   * Copies it to where the user wants it; whole or not at all.
   *
   * An entry that was loaded again in a repair has several lines, of which the last one counts: with `repaired` only that one is copied.
   *
   * @throws ClfsError `usage`
   */
  async copyTo(target: string, repaired: boolean): Promise<void> {
    const temporary = `${target}.new`;
    try {
      if (!repaired) await pipeline(createReadStream(this.#path), createWriteStream(temporary));
      else {
        const last = new Map<string, number>();
        let number = 0;
        for await (const line of this.#lines()) last.set(pathOf(line), number++);
        const current = this.#lines();
        await pipeline(async function* () {
          let at = 0;
          for await (const line of current) if (last.get(pathOf(line)) === at++) yield `${line}\n`;
        }, createWriteStream(temporary));
      }
      renameSync(temporary, target);
    } catch (error) {
      throw new ClfsError('usage', `Cannot write the manifest ${JSON.stringify(target)}: ${messageOf(error)}. It is in ${JSON.stringify(this.#path)} too.`, {
        cause: error,
      });
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

function pathOf(line: string): string {
  return /"path_hex":"([0-9a-f]*)"/.exec(line)?.[1] ?? '';
}
