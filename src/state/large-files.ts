import { RangeSet } from '../books/range-set.js';
import type { Database } from '../sqlite/database.js';
import { Statement } from '../sqlite/database.js';

/** Where a large file belongs. */
type LargeOrigin =
  | { readonly chunk: number; readonly entry: number; readonly group?: undefined }
  | { readonly group: number; readonly chunk?: undefined };

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
  /** Blocks that are recorded as being at the service. */
  readonly done: RangeSet;
  /**
   * Highest block that may have been put; `blocks` when the indirect blocks and the inode may have been, too. When the
   * file is given up, no further name needs be removed: there can be a million.
   */
  readonly boundBlocks: number;
  /** Of the blocks in `done`, `Tally.encode`'s. */
  readonly tally: Uint8Array | null;
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
  bound_blocks: number;
  done: Uint8Array | null;
  tally: Uint8Array | null;
}

/** The large files of a job. */
export class LargeFiles {
  readonly #insert: Statement;
  readonly #get: Statement;
  readonly #all: Statement;
  readonly #progress: Statement;
  readonly #bound: Statement;
  readonly #delete: Statement;
  readonly #ofGroup: Statement;
  readonly #ofDirectory: Statement;
  readonly #hasSequence: Statement;

  constructor(db: Database) {
    this.#insert = new Statement(
      db,
      `INSERT INTO large (chunk, entry, link_group, directory, source_name, sequence, generation, attempts, attributes, blocks, bound_blocks)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
    );
    this.#get = new Statement(db, 'SELECT * FROM large WHERE id = ?');
    this.#all = new Statement(db, 'SELECT * FROM large WHERE id > ? ORDER BY id LIMIT ?');
    this.#progress = new Statement(db, 'UPDATE large SET done = ?, tally = ? WHERE id = ?');
    this.#bound = new Statement(db, 'UPDATE large SET bound_blocks = ? WHERE id = ?');
    this.#ofGroup = new Statement(db, 'SELECT * FROM large WHERE link_group = ?');
    this.#ofDirectory = new Statement(db, 'SELECT * FROM large WHERE directory = ? ORDER BY id');
    this.#hasSequence = new Statement(db, 'SELECT 1 FROM large WHERE sequence = ?');
    this.#delete = new Statement(db, 'DELETE FROM large WHERE id = ?');
  }

  add(file: Omit<LargeRecord, 'id' | 'done' | 'boundBlocks' | 'tally'>): LargeRecord {
    const { origin, directory, sourceName, sequence, generation, attempts, attributes, blocks } = file;
    const chunk = origin.chunk ?? null;
    const entry = origin.chunk === undefined ? null : origin.entry;
    const id = this.#insert.insert(
      chunk,
      entry,
      origin.group ?? null,
      directory,
      sourceName,
      sequence,
      generation,
      attempts,
      attributes,
      blocks,
    );
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

  /** @param tally of the blocks in `done`, encoded */
  setDone(id: number, done: RangeSet, tally: Uint8Array): void {
    this.#progress.run(done.encode(), tally, id);
  }

  /** Records what is about to be put; see {@link LargeRecord.boundBlocks}. */
  setBound(id: number, blocks: number): void {
    this.#bound.run(blocks, id);
  }

  /** The file of a group of links; undefined when it is not under way. */
  ofGroup(group: number): LargeRecord | undefined {
    const row = this.#ofGroup.get<Row>(group);
    return row && decode(row);
  }

  /** Files that are read by a name in a directory. */
  ofDirectory(directory: number): readonly LargeRecord[] {
    return this.#ofDirectory.all<Row>(directory).map(decode);
  }

  hasSequence(sequence: number): boolean {
    return this.#hasSequence.get(sequence) !== undefined;
  }

  delete(id: number): void {
    this.#delete.run(id);
  }
}

function decode(row: Row): LargeRecord {
  const origin: LargeOrigin =
    row.chunk === null ? { group: row.link_group ?? 0 } : { chunk: row.chunk, entry: row.entry ?? 0 };
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
    done: RangeSet.decode(row.done),
    boundBlocks: row.bound_blocks,
    tally: row.tally,
  };
}
