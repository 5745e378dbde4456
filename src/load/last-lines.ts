import { SpilledMap } from '../spill/spilled-map.js';

const SLASH_HEX = '2f';
const PATH = /"path_hex":"([0-9a-f]*)"/;
const GIVEN_UP = /^{"given_up_hex":"([0-9a-f]+)"}$/;
const RELINKED = /^{"relinked_hex":"([0-9a-f]+)","nlink":(\d+)}$/;

/**
 * Which lines count of a manifest that grew in several sessions. What is known of each path goes to a temporary file
 * beyond some megabytes: there is a line an entry.
 *
 * To be closed. Every call may throw ClfsError `temporary`.
 */
export class LastLines {
  /** By path: number of the last line. */
  readonly #last: SpilledMap;
  /** By path: number of the line by which it was given up. */
  readonly #givenUp: SpilledMap;
  /** By path: the latest change of its link count. */
  readonly #relinked: SpilledMap;

  /** @param memoryBytes bytes in memory, for each of three maps, from which on they go to disk */
  constructor(memoryBytes?: number) {
    this.#last = new SpilledMap(memoryBytes);
    this.#givenUp = new SpilledMap(memoryBytes);
    this.#relinked = new SpilledMap(memoryBytes);
  }

  /** Lines are taken in their order, each with its number. */
  take(line: string, number: number): void {
    const path = PATH.exec(line)?.[1];
    if (path !== undefined) {
      this.#last.set(bytesOf(path), encode(number));
      return;
    }
    const givenUp = GIVEN_UP.exec(line)?.[1];
    if (givenUp !== undefined) this.#givenUp.set(bytesOf(givenUp), encode(number));
    const [, relinked, linkCount] = RELINKED.exec(line) ?? [];
    if (relinked !== undefined) this.#relinked.set(bytesOf(relinked), encode(number, Number(linkCount)));
  }

  /** @returns undefined when the line counts no more, or is no entry's */
  asItCounts(line: string, number: number): string | undefined {
    const path = PATH.exec(line)?.[1];
    if (path === undefined || numbersOf(this.#last, path)?.[0] !== number || this.#isGivenUp(path, number))
      return undefined;
    const [relinkedAt = -1, linkCount] = numbersOf(this.#relinked, path) ?? [];
    if (relinkedAt < number) return line;
    const entry = JSON.parse(line) as Record<string, unknown>;
    entry.nlink = linkCount;
    if (linkCount === 1) delete entry.link_group;
    return JSON.stringify(entry);
  }

  close(): void {
    for (const map of [this.#last, this.#givenUp, this.#relinked]) map.close();
  }

  /** Whether the path, or a directory above it, was given up after the line. */
  #isGivenUp(path: string, number: number): boolean {
    if (this.#givenUp.size === 0) return false;
    for (let end = 2; end <= path.length; end += 2) {
      const complete = end === path.length || path.startsWith(SLASH_HEX, end);
      if (complete && (numbersOf(this.#givenUp, path.slice(0, end))?.[0] ?? -1) > number) return true;
    }
    return false;
  }
}

function bytesOf(hex: string): Buffer {
  return Buffer.from(hex, 'hex');
}

function encode(...numbers: readonly number[]): Uint8Array {
  return new Uint8Array(Float64Array.from(numbers).buffer);
}

function numbersOf(map: SpilledMap, path: string): readonly number[] | undefined {
  const bytes = map.get(bytesOf(path));
  // A copy begins where numbers may.
  return bytes && [...new Float64Array(Uint8Array.from(bytes).buffer)];
}
