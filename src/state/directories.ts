import type { Database } from './database.js';
import { Statement } from './database.js';
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
  readonly sequence: number;
  /** Target directory manager. */
  readonly manager: number;
  readonly status: number;
  readonly revision: number;
  /** VATTR record; undefined before it is listed. */
  readonly attributes: Uint8Array | undefined;
}

interface Row {
  id: number;
  parent: number;
  name: Uint8Array;
  file_system: number;
  inode: Uint8Array;
  sequence: number;
  manager: number;
  status: number;
  revision: number;
  attributes: Uint8Array | null;
}

/** What was in the container of a directory before it was written again. */
export interface FormerVersion {
  readonly revision: number;
  readonly blocks: number;
}

/** The directories of a job. */
export class Directories {
  readonly #insert: Statement;
  readonly #get: Statement;
  readonly #found: Statement;
  readonly #ready: Statement;
  readonly #setStatus: Statement;
  readonly #listed: Statement;
  readonly #less: Statement;
  readonly #children: Statement;
  readonly #written: Statement;
  readonly #reopen: Statement;
  readonly #reveal: Statement;
  readonly #dropHidden: Statement;
  readonly #releaseLinks: Statement;
  readonly #former: Statement;
  readonly #countChildren: Statement;
  readonly #unfinished: Statement;
  readonly #atIdentity: Statement;
  readonly #identify: Statement;
  readonly #waitsForLinks: Statement;
  readonly #setLinks: Statement;
  readonly #findFailed: Statement;

  constructor(db: Database) {
    const S = DirectoryStatus;
    this.#insert = new Statement(
      db,
      `INSERT OR IGNORE INTO directory (parent, name, file_system, inode, sequence, manager, status, pending, links, revision) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, 0)`,
    );
    this.#get = new Statement(db, 'SELECT * FROM directory WHERE id = ?');
    this.#found = new Statement(
      db,
      `UPDATE directory SET status = ${S.listing} WHERE id IN (SELECT id FROM directory WHERE status = ${S.found} ORDER BY id DESC LIMIT ?) RETURNING id`,
    );
    this.#ready = new Statement(
      db,
      `UPDATE directory SET status = ${S.writing} WHERE id IN (SELECT id FROM directory WHERE status = ${S.ready} AND id <> ${ROOT_DIRECTORY} ORDER BY id LIMIT ?) RETURNING id`,
    );
    this.#setStatus = new Statement(db, 'UPDATE directory SET status = ? WHERE id = ?');
    this.#listed = new Statement(
      db,
      `UPDATE directory SET attributes = ?, pending = ?, links = ?, status = CASE WHEN ? = 0 THEN ${S.ready} ELSE ${S.waiting} END WHERE id = ?`,
    );
    this.#less = new Statement(
      db,
      `UPDATE directory SET pending = pending + ?1, status = CASE WHEN pending + ?1 = 0 AND status = ${S.waiting} THEN ${S.ready} ELSE status END WHERE id = ?2`,
    );
    this.#children = new Statement(
      db,
      `SELECT id, name, sequence, manager FROM directory WHERE parent = ? AND id > ? AND status NOT IN (${S.failed}, ${S.hidden}) ORDER BY id LIMIT ?`,
    );
    this.#countChildren = new Statement(db, `SELECT count(*) AS n FROM directory WHERE parent = ? AND status NOT IN (${S.failed}, ${S.hidden})`);
    this.#written = new Statement(db, `UPDATE directory SET status = ${S.written}, written_revision = revision, written_blocks = ? WHERE id = ?`);
    // A directory that is written already is written again, as the next revision.
    this.#reopen = new Statement(
      db,
      `UPDATE directory SET pending = pending + ?1, revision = CASE WHEN status = ${S.written} THEN written_revision + 1 ELSE revision END,
       status = CASE WHEN status IN (${S.written}, ${S.ready}, ${S.writing}) THEN ${S.waiting} ELSE status END WHERE id = ?2`,
    );
    this.#reveal = new Statement(db, `UPDATE directory SET status = ${S.found} WHERE parent = ? AND status = ${S.hidden}`);
    this.#dropHidden = new Statement(db, `DELETE FROM directory WHERE parent = ? AND status = ${S.hidden}`);
    this.#releaseLinks = new Statement(
      db,
      `UPDATE directory SET links = 0, pending = pending - 1, status = CASE WHEN pending = 1 AND status = ${S.waiting} THEN ${S.ready} ELSE status END WHERE links = 1`,
    );
    this.#former = new Statement(
      db,
      'SELECT written_revision AS revision, written_blocks AS blocks FROM directory WHERE id = ? AND written_revision IS NOT NULL',
    );
    this.#unfinished = new Statement(db, `SELECT count(*) AS n FROM directory WHERE status IN (${S.found}, ${S.listing})`);
    this.#waitsForLinks = new Statement(db, 'SELECT 1 FROM directory WHERE id = ? AND links = 1');
    this.#setLinks = new Statement(db, 'UPDATE directory SET links = 1 WHERE id = ?');
    this.#findFailed = new Statement(db, `SELECT id FROM directory WHERE parent = ? AND name = ? AND status = ${S.failed}`);
    this.#identify = new Statement(db, 'UPDATE directory SET file_system = ?, inode = ? WHERE id = ?');
    this.#atIdentity = new Statement(db, 'SELECT id FROM directory WHERE file_system = ? AND inode = ?');
  }

  /** @returns its id; undefined when a directory of this identity is there already */
  add(directory: Pick<DirectoryRecord, 'parent' | 'name' | 'fileSystem' | 'inode' | 'sequence' | 'manager' | 'status'>): number | undefined {
    const { parent, name, fileSystem, inode, sequence, manager, status } = directory;
    const inodeBytes = toU64(inode);
    if (inode !== 0n && this.#atIdentity.get(fileSystem, inodeBytes)) return undefined;
    return this.#insert.insert(parent, name, fileSystem, inodeBytes, sequence, manager, status);
  }

  get(id: number): DirectoryRecord {
    const row = this.#get.get<Row>(id);
    if (!row) throw new Error(`The state has no directory ${id}.`);
    return decode(row);
  }

  /** Takes directories to be listed, the latest found first: that keeps the backlog small. */
  claimFound(limit: number): readonly number[] {
    return this.#found.all<{ id: number }>(limit).map((row) => row.id);
  }

  /** Takes directories to be written; never the root. */
  claimReady(limit: number): readonly number[] {
    return this.#ready.all<{ id: number }>(limit).map((row) => row.id);
  }

  /** Gives a directory its identity. @returns false when another one has it */
  identify(id: number, fileSystem: number, inode: bigint): boolean {
    const bytes = toU64(inode);
    if (this.#atIdentity.get(fileSystem, bytes)) return false;
    this.#identify.run(fileSystem, bytes, id);
    return true;
  }

  setStatus(id: number, status: number): void {
    this.#setStatus.run(status, id);
  }

  /** @param pending chunks, sub-directories to be listed, and 1 for links; with 0 it can be written */
  setListed(id: number, attributes: Uint8Array, pending: number, hasLinks: boolean): void {
    this.#listed.run(attributes, pending, hasLinks ? 1 : 0, pending, id);
  }

  /** Changes what the directory waits for; it is ready when nothing is left. */
  addPending(id: number, change: number): void {
    this.#less.run(change, id);
  }

  /** Makes a directory wait for `more` further things, and be written again if it was written. */
  reopen(id: number, more: number): void {
    this.#reopen.run(more, id);
  }

  /** Makes a directory wait for the linked inodes. */
  awaitLinks(id: number): void {
    if (this.#waitsForLinks.get(id)) return;
    this.reopen(id, 1);
    this.#setLinks.run(id);
  }

  /** Id of a sub-directory that failed. */
  findFailed(parent: number, name: Uint8Array): number | undefined {
    return this.#findFailed.get<{ id: number }>(parent, name)?.id;
  }

  /** Sub-directories that were not failed, by ascending id. */
  children(
    parent: number,
    afterId: number,
    limit: number,
  ): readonly { readonly id: number; readonly name: Uint8Array; readonly sequence: number; readonly manager: number }[] {
    return this.#children.all(parent, afterId, limit);
  }

  countChildren(parent: number): number {
    return this.#countChildren.get<{ n: number }>(parent)?.n ?? 0;
  }

  setWritten(id: number, blocks: number): void {
    this.#written.run(blocks, id);
  }

  /** What was written of it before; undefined when nothing was. */
  former(id: number): FormerVersion | undefined {
    return this.#former.get<{ revision: number; blocks: number }>(id);
  }

  revealChildren(parent: number): void {
    this.#reveal.run(parent);
  }

  dropHiddenChildren(parent: number): void {
    this.#dropHidden.run(parent);
  }

  /** All linked inodes are done or failed: directories that waited for them go on. */
  releaseLinks(): void {
    this.#releaseLinks.run();
  }

  /** Whether directories remain to be listed. */
  hasUnlisted(): boolean {
    return (this.#unfinished.get<{ n: number }>()?.n ?? 0) > 0;
  }
}

function decode(row: Row): DirectoryRecord {
  const { id, parent, name, sequence, manager, status, revision } = row;
  return {
    id,
    parent,
    name,
    fileSystem: row.file_system,
    inode: fromU64(row.inode),
    sequence,
    manager,
    status,
    revision,
    attributes: row.attributes ?? undefined,
  };
}
