import { join } from 'node:path';
import type { MemoryContainer } from '../../src/container/memory-container.js';
import { Random } from '../lives/random.js';
import { loadSmall } from '../support/small-container.js';
import { type Snapshot, snapshotOf } from './snapshot.js';
import { makeRandomTree } from './tree.js';

/** A tree that lives are about, and its container. */
export interface World {
  readonly expected: Snapshot;
  readonly store: MemoryContainer;
}

const WORLDS = 24;

/** Trees that lives share: a load takes much longer than a life. */
export class Worlds {
  readonly #base: string;
  readonly #made = new Map<number, World>();

  constructor(base: string) {
    this.#base = base;
  }

  async of(seed: number): Promise<World> {
    const number = seed % WORLDS;
    const world = this.#made.get(number) ?? (await this.#make(number));
    this.#made.set(number, world);
    return world;
  }

  async #make(number: number): Promise<World> {
    const source = join(this.#base, `source-${number}`);
    makeRandomTree(source, new Random(1_000_000 + number));
    // Before the load: reading changes nothing that is compared.
    const expected = snapshotOf(source);
    return { expected, store: await loadSmall(source, this.#base) };
  }
}
