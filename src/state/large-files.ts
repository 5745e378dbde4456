import type { Database } from './database.js';
import { Statement } from './database.js';

/** Where a large file belongs. */
type LargeOrigin = { readonly chunk: number; readonly entry: number; readonly group?: undefined } | { readonly group: number; readonly chunk?: undefined };

/** A file of many segments that is being loaded. */
export interface LargeRecord {
  readonly id: number;
  readonly origin: LargeOrigin;
  /** Directory and name to read it by. */
  readonly directory: number;
  readonly sourceName: Uint8Array;
  readonly sequence: number;
  readonly generation: number;
  readonly attempts: number;
  /** VATTR record. */
  readonly attributes: Uint8Array;
  /** Block 0 included. */
  readonly blocks: number;
  /** Blocks 1 … this are at the service. */
  readonly doneBlocks: number;
  /** Blocks above this have never been sent. */
  readonly boundBlocks: number;
}

interface Row {
  id: number;
  chunk: number | null;
  entry: number | null;
  link_group: number | null;
  directory: number;
  source_name: Uint8Array;
  sequence: number;
  generation: number;
  attempts: number;
  attributes: Uint8Array;
  blocks: number;
  done_blocks: number;
  bound_blocks: number;
}

/** The large files of a job. */
export class LargeFiles {
  readonly #insert: Statement;
  readonly #get: Statement;
  readonly #all: Statement;
  readonly #progress: Statement;
  readonly #bound: Statement;
  readonly #delete: Statement;

  constructor(db: Database) {
    this.#insert = new Statement(
      db,
      `INSERT INTO large (chunk, entry, link_group, directory, source_name, sequence, generation, attempts, attributes, blocks, done_blocks, bound_blocks)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0)`,
    );
    this.#get = new Statement(db, 'SELECT * FROM large WHERE id = ?');
    this.#all = new Statement(db, 'SELECT * FROM large WHERE id > ? ORDER BY id LIMIT ?');
    this.#progress = new Statement(db, 'UPDATE large SET done_blocks = ? WHERE id = ?');
    this.#bound = new Statement(db, 'UPDATE large SET bound_blocks = ? WHERE id = ?');
    this.#delete = new Statement(db, 'DELETE FROM large WHERE id = ?');
  }

  add(file: Omit<LargeRecord, 'id' | 'doneBlocks' | 'boundBlocks'>): LargeRecord {
    const { origin, directory, sourceName, sequence, generation, attempts, attributes, blocks } = file;
    const chunk = origin.chunk ?? null;
    const entry = origin.chunk === undefined ? null : origin.entry;
    const id = this.#insert.insert(chunk, entry, origin.group ?? null, directory, sourceName, sequence, generation, attempts, attributes, blocks);
    return this.get(id);
  }

  get(id: number): LargeRecord {
    const row = this.#get.get<Row>(id);
    if (!row) throw new Error(`The state has no large file ${id}.`);
    return decode(row);
  }

  /** By ascending id. */
  list(afterId: number, limit: number): readonly LargeRecord[] {
    return this.#all.all<Row>(afterId, limit).map(decode);
  }

  setDone(id: number, blocks: number): void {
    this.#progress.run(blocks, id);
  }

  setBound(id: number, blocks: number): void {
    this.#bound.run(blocks, id);
  }

  delete(id: number): void {
    this.#delete.run(id);
  }
}

function decode(row: Row): LargeRecord {
  const origin: LargeOrigin = row.chunk === null ? { group: row.link_group ?? 0 } : { chunk: row.chunk, entry: row.entry ?? 0 };
  const { id, directory, sequence, generation, attempts, attributes, blocks } = row;
  return {
    id,
    origin,
    directory,
    sourceName: row.source_name,
    sequence,
    generation,
    attempts,
    attributes,
    blocks,
    doneBlocks: row.done_blocks,
    boundBlocks: row.bound_blocks,
  };
}
