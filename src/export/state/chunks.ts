import { BitSet } from '../../books/bit-set.js';
import type { Database } from '../../sqlite/database.js';
import { Statement } from '../../sqlite/database.js';
import { WorkStatus } from './schema.js';

/** Entries of one directory that go to a lane together. */
export interface ChunkRecord {
  readonly id: number;
  readonly directory: number;
  readonly count: number;
  /** See `packed-entries.ts`. */
  readonly entries: Uint8Array;
  /** Entries of which it is known, and recorded, what has become of them. */
  readonly settled: BitSet;
}

interface Row {
  id: number;
  directory: number;
  count: number;
  entries: Uint8Array;
  settled: Uint8Array | null;
}

/** The chunks of an export: pending → running → gone, or pending again. */
export class Chunks {
  readonly #insert: Statement;
  readonly #claim: Statement;
  readonly #settle: Statement;
  readonly #release: Statement;
  readonly #delete: Statement;
  readonly #backlog: Statement;

  constructor(db: Database) {
    const W = WorkStatus;
    this.#insert = new Statement(
      db,
      `INSERT INTO chunk (directory, count, entries, status) VALUES (?, ?, ?, ${W.pending})`,
    );
    this.#claim = new Statement(
      db,
      `UPDATE chunk SET status = ${W.running} WHERE id IN (SELECT id FROM chunk WHERE status = ${W.pending} ORDER BY id LIMIT ?)
       RETURNING id, directory, count, entries, settled`,
    );
    this.#settle = new Statement(db, 'UPDATE chunk SET settled = ? WHERE id = ?');
    this.#release = new Statement(db, `UPDATE chunk SET status = ${W.pending} WHERE id = ?`);
    this.#delete = new Statement(db, 'DELETE FROM chunk WHERE id = ?');
    this.#backlog = new Statement(db, `SELECT coalesce(sum(count), 0) AS n FROM chunk WHERE status = ${W.pending}`);
  }

  add(directory: number, count: number, entries: Uint8Array): void {
    this.#insert.run(directory, count, entries);
  }

  /** Moves up to `limit` chunks from pending to running. */
  claim(limit: number): readonly ChunkRecord[] {
    return this.#claim.all<Row>(limit).map(({ id, directory, count, entries, settled }) => ({
      id,
      directory,
      count,
      entries,
      settled: new BitSet(count, settled),
    }));
  }

  /** Records what is settled of one that is under way. */
  settle(id: number, settled: BitSet): void {
    this.#settle.run(settled.bytes, id);
  }

  /** What is not settled of it waits again. */
  release(id: number): void {
    this.#release.run(id);
  }

  /** All of it is settled. */
  delete(id: number): void {
    this.#delete.run(id);
  }

  /** Entries that wait. */
  backlogEntries(): number {
    return this.#backlog.get<{ n: number }>()?.n ?? 0;
  }
}
