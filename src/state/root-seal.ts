import type { Database } from '../sqlite/database.js';
import { Statement } from '../sqlite/database.js';

/** The root's inode as it is put at the commit: name and body are durable before, so that each try sends the same. */
export interface RootSeal {
  readonly revision: number;
  readonly name: string;
  /** Not compressed, without an envelope. */
  readonly body: Uint8Array;
  readonly blocks: number;
  /** Of the root's segments and indirect blocks, `Tally.encode`'s. */
  readonly tally: Uint8Array;
}

/** The seal of a job's root; there is none before its end. */
export class RootSeals {
  readonly #put: Statement;
  readonly #get: Statement;
  readonly #drop: Statement;

  constructor(db: Database) {
    this.#put = new Statement(
      db,
      'INSERT INTO root_seal (id, revision, name, body, blocks, tally) VALUES (1, ?, ?, ?, ?, ?)',
    );
    this.#get = new Statement(db, 'SELECT revision, name, body, blocks, tally FROM root_seal');
    this.#drop = new Statement(db, 'DELETE FROM root_seal');
  }

  get(): RootSeal | undefined {
    return this.#get.get() as RootSeal | undefined;
  }

  put({ revision, name, body, blocks, tally }: RootSeal): void {
    this.#put.run(revision, name, body, blocks, tally);
  }

  drop(): void {
    this.#drop.run();
  }
}
