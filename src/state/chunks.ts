import { BitSet } from '../books/bit-set.js';
import type { Database } from '../sqlite/database.js';
import { Statement } from '../sqlite/database.js';
import { WorkStatus } from './schema.js';

/** Entries of a directory that are loaded together. */
export interface ChunkRecord {
  readonly id: number;
  readonly directory: number;
  readonly firstSequence: number;
  readonly count: number;
  /** Packed entries. */
  readonly entries: Uint8Array;
  /** Tries in the current session that ended because a file changed. */
  readonly attempts: number;
}

/** A chunk whose outcome is not known as a whole. */
export interface OpenChunk extends ChunkRecord {
  /** Entries that are at the service. */
  readonly acknowledged: BitSet;
}

/** A chunk for its directory's object. */
export interface ChunkEntries {
  readonly id: number;
  readonly firstSequence: number;
  readonly entries: Uint8Array;
  /** Bits of the entries that are left out. */
  readonly leftOut: Uint8Array | undefined;
}

interface Row {
  id: number;
  directory: number;
  first_sequence: number;
  count: number;
  entries: Uint8Array;
  attempts: number;
  acknowledged: Uint8Array | null;
  left_out: Uint8Array | null;
}

/**
 * The chunks of a job.
 *
 * A chunk is claimed once. What of it is not acknowledged when its try ends goes on in another chunk, with sequence
 * numbers, and so with names, of its own.
 */
export class Chunks {
  readonly #insert: Statement;
  readonly #claim: Statement;
  readonly #finish: Statement;
  readonly #get: Statement;
  readonly #running: Statement;
  readonly #acknowledge: Statement;
  readonly #leaveOut: Statement;
  readonly #ofDirectory: Statement;
  readonly #reveal: Statement;
  readonly #settleHidden: Statement;
  readonly #dropHidden: Statement;
  readonly #drop: Statement;
  readonly #dropPending: Statement;
  readonly #delete: Statement;
  readonly #backlog: Statement;
  readonly #at: Statement;
  readonly #anywhere: Statement;
  readonly #hasRows: Statement;
  readonly #resetAttempts: Statement;

  constructor(db: Database) {
    const S = WorkStatus;
    this.#insert = new Statement(
      db,
      'INSERT INTO chunk (directory, first_sequence, count, entries, status, attempts) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.#claim = new Statement(
      db,
      `UPDATE chunk SET status = ${S.running} WHERE id IN (SELECT id FROM chunk WHERE status = ${S.pending} ORDER BY id LIMIT ?)
       RETURNING id, directory, first_sequence, count, entries, attempts`,
    );
    this.#finish = new Statement(
      db,
      `UPDATE chunk SET status = ${S.done}, acknowledged = NULL, left_out = ? WHERE id = ?`,
    );
    this.#get = new Statement(db, 'SELECT * FROM chunk WHERE id = ?');
    this.#running = new Statement(db, `SELECT * FROM chunk WHERE status = ${S.running} AND id > ? ORDER BY id LIMIT ?`);
    this.#acknowledge = new Statement(db, 'UPDATE chunk SET acknowledged = ? WHERE id = ?');
    this.#leaveOut = new Statement(db, 'UPDATE chunk SET left_out = ? WHERE id = ?');
    this.#ofDirectory = new Statement(
      db,
      'SELECT id, first_sequence, entries, left_out FROM chunk WHERE directory = ? AND id > ? ORDER BY id LIMIT ?',
    );
    this.#reveal = new Statement(
      db,
      `UPDATE chunk SET status = ${S.pending} WHERE directory = ? AND status = ${S.hidden}`,
    );
    this.#settleHidden = new Statement(
      db,
      `UPDATE chunk SET status = ${S.done} WHERE directory = ? AND status = ${S.hidden}`,
    );
    this.#dropHidden = new Statement(db, `DELETE FROM chunk WHERE directory = ? AND status = ${S.hidden}`);
    this.#drop = new Statement(db, 'DELETE FROM chunk WHERE directory = ?');
    this.#dropPending = new Statement(db, `DELETE FROM chunk WHERE directory = ? AND status = ${S.pending}`);
    this.#delete = new Statement(db, 'DELETE FROM chunk WHERE id = ?');
    this.#backlog = new Statement(db, `SELECT coalesce(sum(count), 0) AS n FROM chunk WHERE status = ${S.pending}`);
    this.#at = new Statement(
      db,
      'SELECT * FROM chunk WHERE directory = ?1 AND first_sequence <= ?2 AND first_sequence + count > ?2',
    );
    this.#anywhere = new Statement(
      db,
      'SELECT * FROM chunk WHERE first_sequence <= ?1 AND first_sequence + count > ?1',
    );
    this.#hasRows = new Statement(db, 'SELECT 1 FROM chunk WHERE directory = ? LIMIT 1');
    this.#resetAttempts = new Statement(db, 'UPDATE chunk SET attempts = 0 WHERE attempts <> 0');
  }

  /** @returns its id */
  add(chunk: Omit<ChunkRecord, 'id' | 'attempts'> & { readonly attempts?: number }, hidden = false): number {
    const { directory, firstSequence, count, entries, attempts } = chunk;
    const status = hidden ? WorkStatus.hidden : WorkStatus.pending;
    return this.#insert.insert(directory, firstSequence, count, entries, status, attempts ?? 0);
  }

  /** Moves up to `limit` chunks from pending to running. */
  claim(limit: number): readonly ChunkRecord[] {
    return this.#claim.all<Row>(limit).map(decode);
  }

  get(id: number): OpenChunk {
    const row = this.#get.get<Row>(id);
    if (!row) throw new Error(`The state has no chunk ${id}.`);
    return decodeOpen(row);
  }

  /** Chunks that were claimed and are not finished, by ascending id. */
  running(afterId: number, limit: number): readonly OpenChunk[] {
    return this.#running.all<Row>(afterId, limit).map(decodeOpen);
  }

  /** Records entries that are at the service while others are under way. */
  acknowledge(id: number, acknowledged: BitSet): void {
    this.#acknowledge.run(acknowledged.bytes, id);
  }

  /** Its try has ended. @param leftOut entries that this chunk does not bring into the directory */
  finish(id: number, leftOut: BitSet | undefined): void {
    this.#finish.run(leftOut?.bytes ?? null, id);
  }

  /** Leaves one entry more out of the directory. */
  leaveOut(id: number, index: number): void {
    const row = this.#get.get<Row>(id);
    if (!row) throw new Error(`The state has no chunk ${id}.`);
    const bits = new BitSet(row.count, row.left_out);
    bits.add(index);
    this.#leaveOut.run(bits.bytes, id);
  }

  /** Chunks of a directory by ascending id. */
  ofDirectory(directory: number, afterId: number, limit: number): readonly ChunkEntries[] {
    return this.#ofDirectory.all<Row>(directory, afterId, limit).map((row) => ({
      id: row.id,
      firstSequence: row.first_sequence,
      entries: row.entries,
      leftOut: row.left_out ?? undefined,
    }));
  }

  /**
   * Whether an entry of this sequence number is, or will be, in its directory. @param directory undefined: any, by a
   * slow search
   */
  counts(directory: number | undefined, sequence: number): boolean {
    const rows = directory === undefined ? this.#anywhere.all<Row>(sequence) : this.#at.all<Row>(directory, sequence);
    return rows.some(
      (row) => row.left_out === null || !new BitSet(row.count, row.left_out).has(sequence - row.first_sequence),
    );
  }

  /** Whether the entries of a directory are still recorded. */
  hasRows(directory: number): boolean {
    return this.#hasRows.get(directory) !== undefined;
  }

  reveal(directory: number): void {
    this.#reveal.run(directory);
  }

  /** The hidden chunks of a directory are of entries that are at the service already: from here on they count. */
  settleHidden(directory: number): void {
    this.#settleHidden.run(directory);
  }

  dropHidden(directory: number): void {
    this.#dropHidden.run(directory);
  }

  drop(directory: number): void {
    this.#drop.run(directory);
  }

  /** Forgets the chunks of a directory that nobody has claimed. */
  dropPending(directory: number): void {
    this.#dropPending.run(directory);
  }

  delete(id: number): void {
    this.#delete.run(id);
  }

  resetAttempts(): void {
    this.#resetAttempts.run();
  }

  /** Entries that wait to be loaded; not those of a listing that is not complete, which nobody can load yet. */
  backlogEntries(): number {
    return this.#backlog.get<{ n: number }>()?.n ?? 0;
  }
}

function decode(row: Row): ChunkRecord {
  const { id, directory, count, entries, attempts } = row;
  return { id, directory, firstSequence: row.first_sequence, count, entries, attempts };
}

function decodeOpen(row: Row): OpenChunk {
  return { ...decode(row), acknowledged: new BitSet(row.count, row.acknowledged) };
}
