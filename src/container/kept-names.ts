import type { BigIntStats } from 'node:fs';
import { TemporaryFile } from '../spill/temporary-file.js';

/** Characters that names are looked up by: of an object's name the hash of its id. */
export const LOOKED_UP_CHARACTERS = 16;
/** Room for a name; a longer one is no object's. */
const SLOT_BYTES = 120;
const SLOTS_AT_ONCE = 8192;
/** A directory that changed so lately may change once more without another time: clocks of file systems are coarse. */
const SETTLED_NS = 3_000_000_000n;

/**
 * The names in a directory as they were at one time, for as long as it has not changed since: 8 bytes of memory a name,
 * and a temporary file. Not thrown away by itself: whoever asks looks whether {@link KeptNames.isCurrent}. To be
 * closed.
 */
export class KeptNames {
  readonly #file: TemporaryFile;
  readonly #state: string;
  /** For each place the number of a name, from 1 on; 0 for none. */
  readonly #places: Uint32Array;

  constructor(file: TemporaryFile, state: string, places: Uint32Array) {
    this.#file = file;
    this.#state = state;
    this.#places = places;
  }

  /** Whether the directory is as it was: its times say so. */
  isCurrent(times: BigIntStats): boolean {
    return stateOf(times) === this.#state;
  }

  /**
   * Names, a character a byte, that begin with `prefix`, which has {@link LOOKED_UP_CHARACTERS} or more. @throws
   * ClfsError `temporary`
   */
  *find(prefix: string): Generator<string> {
    const slot = Buffer.alloc(SLOT_BYTES);
    const mask = this.#places.length - 1;
    for (let place = hashOf(prefix) & mask; this.#places[place] !== 0; place = (place + 1) & mask) {
      this.#file.read(slot, (this.#places[place] - 1) * SLOT_BYTES);
      const name = slot.toString('latin1', 1, 1 + slot[0]);
      if (name.startsWith(prefix)) yield name;
    }
  }

  close(): void {
    this.#file.close();
  }
}

/** Whether the next change of a directory will show in its times. */
export function isSettled({ mtimeNs, ctimeNs }: BigIntStats): boolean {
  const latest = BigInt(Date.now()) * 1_000_000n - SETTLED_NS;
  return mtimeNs < latest && ctimeNs < latest;
}

/** Takes the names of a directory down while it is read. */
export class NamesTaker {
  readonly #before: BigIntStats;
  readonly #file = new TemporaryFile();
  readonly #block = Buffer.alloc(SLOTS_AT_ONCE * SLOT_BYTES);
  #hashes = new Uint32Array(SLOTS_AT_ONCE);
  #count = 0;
  #fits = true;

  /** @param before of the directory, of which nothing has been read yet, and which {@link isSettled} */
  constructor(before: BigIntStats) {
    this.#before = before;
  }

  add(name: string): void {
    if (name.length < LOOKED_UP_CHARACTERS) return;
    if (name.length >= SLOT_BYTES) {
      this.#fits = false;
      return;
    }
    if (this.#count === this.#hashes.length) {
      const hashes = new Uint32Array(2 * this.#count);
      hashes.set(this.#hashes);
      this.#hashes = hashes;
    }
    const at = (this.#count % SLOTS_AT_ONCE) * SLOT_BYTES;
    this.#block[at] = name.length;
    this.#block.write(name, at + 1, 'latin1');
    this.#hashes[this.#count++] = hashOf(name);
    if (this.#count % SLOTS_AT_ONCE === 0) this.#write(SLOTS_AT_ONCE);
  }

  /**
   * @param after of the directory, when it has been read
   * @returns undefined when the names cannot be relied on: the directory has changed in the meantime, or has names that
   * are too long
   */
  finish(after: BigIntStats): KeptNames | undefined {
    const state = stateOf(this.#before);
    if (!this.#fits || stateOf(after) !== state) {
      this.close();
      return undefined;
    }
    this.#write(this.#count % SLOTS_AT_ONCE);
    const places = new Uint32Array(2 ** Math.ceil(Math.log2(2 * this.#count + 2)));
    for (let name = 0; name < this.#count; name++) {
      let place = this.#hashes[name] & (places.length - 1);
      while (places[place] !== 0) place = (place + 1) & (places.length - 1);
      places[place] = name + 1;
    }
    return new KeptNames(this.#file, state, places);
  }

  close(): void {
    this.#file.close();
  }

  /** Writes the last names that were taken down. */
  #write(names: number): void {
    this.#file.write(this.#block.subarray(0, names * SLOT_BYTES), (this.#count - names) * SLOT_BYTES);
  }
}

function stateOf({ dev, ino, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev} ${ino} ${mtimeNs} ${ctimeNs}`;
}

/** FNV-1a of the characters that names are looked up by. */
function hashOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < LOOKED_UP_CHARACTERS; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}
