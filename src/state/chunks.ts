import type { Database } from './database.js';
import { Statement } from './database.js';
import { WorkStatus } from './schema.js';

/** Entries of a directory that are loaded together. */
export interface ChunkRecord {
  readonly id: number;
  readonly directory: number;
  readonly firstSequence: number;
  readonly count: number;
  /** Packed entries. */
  readonly entries: Uint8Array;
  /** Whether a session that ended may have sent some of it. */
  readonly suspect: boolean;
}

/** A chunk for its directory's object. */
export interface ChunkEntries {
  readonly id: number;
  readonly firstSequence: number;
  readonly entries: Uint8Array;
  readonly excluded: readonly number[];
}

interface Row {
  id: number;
  directory: number;
  first_sequence: number;
  count: number;
  entries: Uint8Array;
  suspect: number;
  excluded: Uint8Array | null;
}

/** The chunks of a job. */
export class Chunks {
  readonly #insert: Statement;
  readonly #claim: Statement;
  readonly #finish: Statement;
  readonly #excluded: Statement;
  readonly #exclude: Statement;
  readonly #ofDirectory: Statement;
  readonly #reveal: Statement;
  readonly #dropHidden: Statement;
  readonly #drop: Statement;
  readonly #backlog: Statement;

  constructor(db: Database) {
    const S = WorkStatus;
    this.#insert = new Statement(db, 'INSERT INTO chunk (directory, first_sequence, count, entries, status, suspect) VALUES (?, ?, ?, ?, ?, 0)');
    this.#claim = new Statement(
      db,
      `UPDATE chunk SET status = ${S.running} WHERE id IN (SELECT id FROM chunk WHERE status = ${S.pending} ORDER BY id LIMIT ?)
       RETURNING id, directory, first_sequence, count, entries, suspect`,
    );
    this.#finish = new Statement(db, `UPDATE chunk SET status = ${S.done} WHERE id = ?`);
    this.#excluded = new Statement(db, 'SELECT excluded FROM chunk WHERE id = ?');
    this.#exclude = new Statement(db, 'UPDATE chunk SET excluded = ? WHERE id = ?');
    this.#ofDirectory = new Statement(db, 'SELECT id, first_sequence, entries, excluded FROM chunk WHERE directory = ? AND id > ? ORDER BY id LIMIT ?');
    this.#reveal = new Statement(db, `UPDATE chunk SET status = ${S.pending} WHERE directory = ? AND status = ${S.hidden}`);
    this.#dropHidden = new Statement(db, `DELETE FROM chunk WHERE directory = ? AND status = ${S.hidden}`);
    this.#drop = new Statement(db, 'DELETE FROM chunk WHERE directory = ?');
    this.#backlog = new Statement(db, `SELECT coalesce(sum(count), 0) AS n FROM chunk WHERE status IN (${S.pending}, ${S.hidden})`);
  }

  add(directory: number, firstSequence: number, count: number, entries: Uint8Array, hidden: boolean): void {
    this.#insert.run(directory, firstSequence, count, entries, hidden ? WorkStatus.hidden : WorkStatus.pending);
  }

  /** Moves up to `limit` chunks from pending to running. After a crash every running chunk is offered again. */
  claim(limit: number): readonly ChunkRecord[] {
    return this.#claim.all<Row>(limit).map((row) => ({
      id: row.id,
      directory: row.directory,
      firstSequence: row.first_sequence,
      count: row.count,
      entries: row.entries,
      suspect: row.suspect !== 0,
    }));
  }

  finish(id: number): void {
    this.#finish.run(id);
  }

  /** Leaves an entry out of its directory. */
  exclude(id: number, index: number): void {
    const before = decodeIndices(this.#excluded.get<{ excluded: Uint8Array | null }>(id)?.excluded ?? null);
    const bytes = Buffer.alloc((before.length + 1) * 2);
    for (const [at, value] of [...before, index].entries()) bytes.writeUInt16LE(value, at * 2);
    this.#exclude.run(bytes, id);
  }

  /** Chunks of a directory by ascending id. */
  ofDirectory(directory: number, afterId: number, limit: number): readonly ChunkEntries[] {
    return this.#ofDirectory.all<Row>(directory, afterId, limit).map((row) => ({
      id: row.id,
      firstSequence: row.first_sequence,
      entries: row.entries,
      excluded: decodeIndices(row.excluded),
    }));
  }

  reveal(directory: number): void {
    this.#reveal.run(directory);
  }

  dropHidden(directory: number): void {
    this.#dropHidden.run(directory);
  }

  drop(directory: number): void {
    this.#drop.run(directory);
  }

  /** Entries that wait to be loaded. */
  backlogEntries(): number {
    return this.#backlog.get<{ n: number }>()?.n ?? 0;
  }
}

function decodeIndices(bytes: Uint8Array | null): number[] {
  if (!bytes) return [];
  const indices: number[] = [];
  for (let at = 0; at < bytes.length; at += 2) indices.push(bytes[at] | (bytes[at + 1] << 8));
  return indices;
}
