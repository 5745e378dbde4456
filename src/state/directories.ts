import { Tally } from '../books/tally.js';
import type { Database } from '../sqlite/database.js';
import { Statement } from '../sqlite/database.js';
import { DirectoryStatus } from './schema.js';
import { fromU64, toU64 } from './u64.js';

/** Id of the root directory. */
export const ROOT_DIRECTORY = 1;

/** A directory as it is recorded. */
export interface DirectoryRecord {
  readonly id: number;
  /** 0 for the root. */
  readonly parent: number;
  readonly name: Uint8Array;
  /** Number of its file system, see `file_system`. */
  readonly fileSystem: number;
  /** st_ino; 0 when it is not known. */
  readonly inode: bigint;
  /** When it was made, in nanoseconds since 1970 modulo 2^64; 0 when it is not known. */
  readonly bornNs: bigint;
  readonly sequence: number;
  /** Target directory manager. */
  readonly manager: number;
  readonly status: number;
  /** The latest one that was claimed for writing; -1 for none. */
  readonly revision: number;
  /** VATTR record; undefined before it is listed. */
  readonly attributes: Uint8Array | undefined;
}

/** What tells a directory from others of its file system. */
type DirectoryBirth = Pick<DirectoryRecord, 'inode' | 'bornNs'>;

/** No inode number, or no time of making. */
export const UNKNOWN_IDENTITY = "x'0000000000000000'";

export interface DirectoryRow {
  id: number;
  parent: number;
  name: Uint8Array;
  file_system: number;
  inode: Uint8Array;
  born: Uint8Array;
  sequence: number;
  manager: number;
  status: number;
  revision: number;
  attributes: Uint8Array | null;
}

/**
 * The directories of a job, and where each is. What becomes of them is in `DirectoryLife`.
 */
export class Directories {
  readonly #insert: Statement;
  readonly #get: Statement;
  readonly #delete: Statement;
  readonly #contentBytes: Statement;
  readonly #withSequence: Statement;
  readonly #children: Statement;
  readonly #countChildren: Statement;
  readonly #atIdentity: Statement;
  readonly #identify: Statement;
  readonly #child: Statement;
  readonly #entryTally: Statement;
  readonly #setEntryTally: Statement;

  constructor(db: Database) {
    const { hidden, leaving } = DirectoryStatus;
    this.#insert = new Statement(
      db,
      `INSERT OR IGNORE INTO directory (parent, name, file_system, inode, born, sequence, manager, status, pending, links, revision)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0, -1)`,
    );
    this.#get = new Statement(db, 'SELECT * FROM directory WHERE id = ?');
    this.#delete = new Statement(db, 'DELETE FROM directory WHERE id = ?');
    this.#withSequence = new Statement(db, 'SELECT id FROM directory WHERE sequence = ?');
    this.#contentBytes = new Statement(
      db,
      `SELECT (SELECT coalesce(sum(length(entries) + 28 * count), 0) FROM chunk WHERE directory = ?1)
         + (SELECT coalesce(sum(length(name) + 30), 0) FROM directory WHERE parent = ?1)
         + (SELECT coalesce(sum(length(name) + 30), 0) FROM link WHERE directory = ?1) AS n`,
    );
    this.#child = new Statement(
      db,
      `SELECT id FROM directory WHERE parent = ? AND name = ? AND status NOT IN (${hidden}, ${leaving})`,
    );
    this.#children = new Statement(
      db,
      `SELECT id, name, sequence, manager FROM directory WHERE parent = ? AND id > ? AND status NOT IN (${hidden}, ${leaving}) ORDER BY id LIMIT ?`,
    );
    this.#countChildren = new Statement(
      db,
      `SELECT count(*) AS n FROM directory WHERE parent = ? AND status NOT IN (${hidden}, ${leaving})`,
    );
    this.#entryTally = new Statement(db, 'SELECT entry_tally AS tally FROM directory WHERE id = ?');
    this.#setEntryTally = new Statement(db, 'UPDATE directory SET entry_tally = ? WHERE id = ?');
    this.#identify = new Statement(db, 'UPDATE directory SET file_system = ?, inode = ?, born = ? WHERE id = ?');
    // An inode number is given away again: where it is known, the time of making tells directories apart. The
    // index has only inode numbers that are known: unless it is told so, each look goes through all directories.
    this.#atIdentity = new Statement(
      db,
      `SELECT id FROM directory WHERE file_system = ?1 AND inode = ?2 AND inode <> ${UNKNOWN_IDENTITY} AND (born = ?3 OR born = ${UNKNOWN_IDENTITY} OR ?3 = ${UNKNOWN_IDENTITY})`,
    );
  }

  /** @returns its id; undefined when a directory of this identity is there already */
  add(
    directory: Pick<
      DirectoryRecord,
      'parent' | 'name' | 'fileSystem' | 'inode' | 'bornNs' | 'sequence' | 'manager' | 'status'
    >,
  ): number | undefined {
    const { parent, name, fileSystem, inode, bornNs, sequence, manager, status } = directory;
    if (inode !== 0n && this.withIdentity(fileSystem, directory) !== undefined) return undefined;
    return this.#insert.insert(parent, name, fileSystem, toU64(inode), toU64(bornNs), sequence, manager, status);
  }

  get(id: number): DirectoryRecord {
    const record = this.find(id);
    if (!record) throw new Error(`The state has no directory ${id}.`);
    return record;
  }

  find(id: number): DirectoryRecord | undefined {
    const row = this.#get.get<DirectoryRow>(id);
    return row && decodeDirectory(row);
  }

  /** The directory that has an identity. */
  withIdentity(fileSystem: number, { inode, bornNs }: DirectoryBirth): number | undefined {
    return this.#atIdentity.get<{ id: number }>(fileSystem, toU64(inode), toU64(bornNs))?.id;
  }

  /** Forgets a directory that could not be listed, or of which nothing is left. */
  delete(id: number): void {
    this.#delete.run(id);
  }

  /**
   * Objects that count of the entries of a directory, directories and linked inodes apart, with the lengths that they were
   * put with.
   */
  entryObjects(id: number): Tally {
    return Tally.decode(this.#entryTally.get<{ tally: Uint8Array | null }>(id)?.tally);
  }

  /** Adds to {@link entryObjects}; inside a transaction. */
  addEntryObjects(id: number, tally: Tally): void {
    if (tally.isEmpty) return;
    const all = this.entryObjects(id);
    all.plus(tally);
    this.#setEntryTally.run(all.encode(), id);
  }

  /** Bytes of the entries that are recorded for a directory, `.` and `..` excepted. */
  contentBytes(id: number): number {
    return this.#contentBytes.get<{ n: number }>(id)?.n ?? 0;
  }

  /** Directory of a sequence number, by a slow search. */
  withSequence(sequence: number): number | undefined {
    return this.#withSequence.get<{ id: number }>(sequence)?.id;
  }

  /** Gives a directory its identity. @returns false when another one has it */
  identify(id: number, fileSystem: number, birth: DirectoryBirth): boolean {
    if (this.withIdentity(fileSystem, birth) !== undefined) return false;
    this.#identify.run(fileSystem, toU64(birth.inode), toU64(birth.bornNs), id);
    return true;
  }

  /** Sub-directories by ascending id. */
  children(
    parent: number,
    afterId: number,
    limit: number,
  ): readonly {
    readonly id: number;
    readonly name: Uint8Array;
    readonly sequence: number;
    readonly manager: number;
  }[] {
    return this.#children.all(parent, afterId, limit);
  }

  /** The sub-directory of a name. */
  child(parent: number, name: Uint8Array): number | undefined {
    return this.#child.get<{ id: number }>(parent, name)?.id;
  }

  countChildren(parent: number): number {
    return this.#countChildren.get<{ n: number }>(parent)?.n ?? 0;
  }
}

export function decodeDirectory(row: DirectoryRow): DirectoryRecord {
  const { id, parent, name, sequence, manager, status, revision } = row;
  return {
    id,
    parent,
    name,
    fileSystem: row.file_system,
    inode: fromU64(row.inode),
    bornNs: fromU64(row.born),
    sequence,
    manager,
    status,
    revision,
    attributes: row.attributes ?? undefined,
  };
}
