import { SpilledMap } from './spilled-map.js';

/** A set of strings of bytes. To be closed. */
export interface ByteSet {
  /** @returns whether it is there for the first time */
  add(key: Uint8Array): boolean;
  has(key: Uint8Array): boolean;
  /** @returns whether it was there */
  delete(key: Uint8Array): boolean;
  close(): void;
}

/** A set of strings of bytes that holds a bounded number of them in memory; see {@link SpilledMap}. */
export class SpilledSet implements ByteSet {
  readonly #map: SpilledMap;

  /** @param memoryBytes bytes in memory from which on the rest goes to disk */
  constructor(memoryBytes?: number) {
    this.#map = new SpilledMap(memoryBytes);
  }

  add(key: Uint8Array): boolean {
    if (this.#map.has(key)) return false;
    this.#map.set(key, EMPTY);
    return true;
  }

  has(key: Uint8Array): boolean {
    return this.#map.has(key);
  }

  delete(key: Uint8Array): boolean {
    return this.#map.delete(key);
  }

  close(): void {
    this.#map.close();
  }
}

const EMPTY = new Uint8Array(0);
