import { rmdirSync } from 'node:fs';
import { expect } from 'vitest';
import type { MemoryContainer } from '../../src/container/memory-container.js';
import { Random } from '../lives/random.js';
import { copyOf } from '../support/small-container.js';
import { Job, lock } from '../support/whole-job.js';
import { type Snapshot, snapshotOf } from './snapshot.js';
import { bytesOf, makeRandomTree } from './tree.js';

/** A tree that lives are about, and its container. */
export interface World {
  readonly expected: Snapshot;
  /** Where the tree is. */
  readonly source: string;
  readonly store: MemoryContainer;
  /** The same before a repair brought what could not be read at first; undefined where all could be. */
  readonly unrepaired: MemoryContainer | undefined;
}

const WORLDS = 24;
/** More failures than a tree has entries. */
const MANY = 10_000;

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
    const random = new Random(1_000_000 + number);
    const job = new Job(this.#base, { compression: 'DISABLED', preserveHardLinks: true, maxErrors: MANY });
    rmdirSync(job.source);
    makeRandomTree(job.source, random);
    // Before the load: reading changes nothing that is compared.
    const expected = snapshotOf(job.source);
    const unreadable = [...expected.keys()].filter((path) => path !== '' && random.chance(10));
    const first = await job.session(lock(...unreadable.map((path) => bytesOf(path.slice(1)).toString())));
    const unrepaired = first.status === 'CompletedWithErrors' ? copyOf(job.world.store) : undefined;
    if (unrepaired) expect((await job.session()).status).toBe('Completed');
    return { expected, source: job.source, store: job.world.store, unrepaired };
  }
}
