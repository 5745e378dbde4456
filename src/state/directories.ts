import type { Database } from './database.js';
import { Statement } from './database.js';
import { DirectoryStatus, LookStatus } from './schema.js';
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
const UNKNOWN = "x'0000000000000000'";

interface Row {
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

/** What counts of a directory in the container. */
export interface WrittenDirectory {
  readonly revision: number;
  readonly blocks: number;
  /** `Tally.encode`'s; null for what version 0.1.0 wrote. */
  readonly tally: Uint8Array | null;
}

/**
 * The directories of a job.
 *
 * Each claim for writing takes the next revision, whose names nobody has had.
 */
export class Directories {
  readonly #insert: Statement;
  readonly #get: Statement;
  readonly #found: Statement;
  readonly #ready: Statement;
  readonly #writing: Statement;
  readonly #setStatus: Statement;
  readonly #claimRoot: Statement;
  readonly #look: Statement;
  readonly #setLook: Statement;
  readonly #isLookedAt: Statement;
  readonly #delete: Statement;
  readonly #recount: Statement;
  readonly #reconsider: Statement;
  readonly #contentBytes: Statement;
  readonly #withSequence: Statement;
  readonly #listed: Statement;
  readonly #less: Statement;
  readonly #children: Statement;
  readonly #written: Statement;
  readonly #reopen: Statement;
  readonly #reveal: Statement;
  readonly #dropHidden: Statement;
  readonly #releaseLinks: Statement;
  readonly #current: Statement;
  readonly #countChildren: Statement;
  readonly #unfinished: Statement;
  readonly #atIdentity: Statement;
  readonly #identify: Statement;
  readonly #setLeaving: Statement;
  readonly #leaving: Statement;
  readonly #waitsForLinks: Statement;
  readonly #setLinks: Statement;
  readonly #child: Statement;

  constructor(db: Database) {
    const S = DirectoryStatus;
    this.#insert = new Statement(
      db,
      `INSERT OR IGNORE INTO directory (parent, name, file_system, inode, born, sequence, manager, status, pending, links, revision)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0, -1)`,
    );
    this.#get = new Statement(db, 'SELECT * FROM directory WHERE id = ?');
    this.#found = new Statement(
      db,
      `UPDATE directory SET status = ${S.listing} WHERE id IN (SELECT id FROM directory WHERE status = ${S.found} ORDER BY id DESC LIMIT ?) RETURNING id`,
    );
    this.#ready = new Statement(
      db,
      `UPDATE directory SET status = ${S.writing}, revision = revision + 1
       WHERE id IN (SELECT id FROM directory WHERE status = ${S.ready} AND id <> ${ROOT_DIRECTORY} ORDER BY id LIMIT ?) RETURNING id`,
    );
    this.#claimRoot = new Statement(
      db,
      `UPDATE directory SET status = ${S.writing}, revision = revision + 1 WHERE id = ${ROOT_DIRECTORY}`,
    );
    this.#writing = new Statement(
      db,
      `SELECT * FROM directory WHERE status = ${S.writing} AND id > ? ORDER BY id LIMIT ?`,
    );
    this.#look = new Statement(
      db,
      `UPDATE directory SET look = ${LookStatus.running} WHERE id IN (SELECT id FROM directory WHERE look = ${LookStatus.wanted} LIMIT ?) RETURNING id`,
    );
    this.#setLook = new Statement(db, 'UPDATE directory SET look = ? WHERE id = ?');
    this.#isLookedAt = new Statement(db, `SELECT 1 FROM directory WHERE id = ? AND look <> ${LookStatus.none}`);
    this.#delete = new Statement(db, 'DELETE FROM directory WHERE id = ?');
    this.#withSequence = new Statement(db, 'SELECT id FROM directory WHERE sequence = ?');
    this.#contentBytes = new Statement(
      db,
      `SELECT (SELECT coalesce(sum(length(entries) + 28 * count), 0) FROM chunk WHERE directory = ?1)
         + (SELECT coalesce(sum(length(name) + 30), 0) FROM directory WHERE parent = ?1)
         + (SELECT coalesce(sum(length(name) + 30), 0) FROM link WHERE directory = ?1) AS n`,
    );
    // What it waits for is counted anew when a session begins.
    this.#recount = new Statement(
      db,
      `UPDATE directory SET pending = (SELECT count(*) FROM chunk WHERE chunk.directory = directory.id AND chunk.status IN (0, 1))
         + (SELECT count(*) FROM large WHERE large.directory = directory.id AND large.link_group IS NULL)
         + (SELECT count(*) FROM directory AS child WHERE child.parent = directory.id AND child.status IN (${S.found}, ${S.listing}))
         + links + (look <> 0) WHERE status IN (${S.waiting}, ${S.ready})`,
    );
    this.#reconsider = new Statement(
      db,
      `UPDATE directory SET status = CASE WHEN pending = 0 THEN ${S.ready} ELSE ${S.waiting} END
       WHERE status IN (${S.waiting}, ${S.ready})`,
    );
    this.#setStatus = new Statement(db, 'UPDATE directory SET status = ? WHERE id = ?');
    this.#listed = new Statement(
      db,
      `UPDATE directory SET attributes = ?, pending = ?, links = ?,
       status = CASE WHEN ? = 0 THEN ${S.ready} ELSE ${S.waiting} END WHERE id = ?`,
    );
    this.#less = new Statement(
      db,
      `UPDATE directory SET pending = pending + ?1, status = CASE WHEN pending + ?1 = 0 AND status = ${S.waiting} THEN ${S.ready} ELSE status END WHERE id = ?2`,
    );
    this.#child = new Statement(
      db,
      `SELECT id FROM directory WHERE parent = ? AND name = ? AND status NOT IN (${S.hidden}, ${S.leaving})`,
    );
    this.#children = new Statement(
      db,
      `SELECT id, name, sequence, manager FROM directory WHERE parent = ? AND id > ? AND status NOT IN (${S.hidden}, ${S.leaving}) ORDER BY id LIMIT ?`,
    );
    this.#countChildren = new Statement(
      db,
      `SELECT count(*) AS n FROM directory WHERE parent = ? AND status NOT IN (${S.hidden}, ${S.leaving})`,
    );
    this.#written = new Statement(
      db,
      `UPDATE directory SET status = ${S.written}, written_revision = revision, written_blocks = ?, tally = ? WHERE id = ?`,
    );
    this.#reopen = new Statement(
      db,
      `UPDATE directory SET pending = pending + ?1,
       status = CASE WHEN status IN (${S.written}, ${S.ready}) THEN ${S.waiting} ELSE status END WHERE id = ?2`,
    );
    this.#reveal = new Statement(
      db,
      `UPDATE directory SET status = ${S.found} WHERE parent = ? AND status = ${S.hidden}`,
    );
    this.#dropHidden = new Statement(db, `DELETE FROM directory WHERE parent = ? AND status = ${S.hidden}`);
    this.#releaseLinks = new Statement(
      db,
      `UPDATE directory SET links = 0, pending = pending - 1, status = CASE WHEN pending = 1 AND status = ${S.waiting} THEN ${S.ready} ELSE status END WHERE links = 1`,
    );
    this.#current = new Statement(
      db,
      `SELECT written_revision AS revision, written_blocks AS blocks, tally FROM directory
       WHERE id = ? AND written_revision IS NOT NULL`,
    );
    this.#unfinished = new Statement(
      db,
      `SELECT 1 FROM directory WHERE status IN (${S.found}, ${S.listing}) OR look <> ${LookStatus.none} LIMIT 1`,
    );
    this.#waitsForLinks = new Statement(db, 'SELECT 1 FROM directory WHERE id = ? AND links = 1');
    this.#setLinks = new Statement(db, 'UPDATE directory SET links = 1 WHERE id = ?');
    this.#identify = new Statement(db, 'UPDATE directory SET file_system = ?, inode = ?, born = ? WHERE id = ?');
    // Its identity is free for the directory that is loaded anew.
    this.#setLeaving = new Statement(
      db,
      `UPDATE directory SET status = ${S.leaving}, look = ${LookStatus.none}, inode = ${UNKNOWN}, pending = 0, links = 0,
       written_revision = NULL, written_blocks = NULL, tally = NULL WHERE id = ?`,
    );
    this.#leaving = new Statement(db, `SELECT id FROM directory WHERE status = ${S.leaving} ORDER BY id`);
    // An inode number is given away again: where it is known, the time of making tells directories apart.
    this.#atIdentity = new Statement(
      db,
      `SELECT id FROM directory WHERE file_system = ?1 AND inode = ?2 AND (born = ?3 OR born = ${UNKNOWN} OR ?3 = ${UNKNOWN})`,
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
    const row = this.#get.get<Row>(id);
    return row && decode(row);
  }

  /** The directory that has an identity. */
  withIdentity(fileSystem: number, { inode, bornNs }: DirectoryBirth): number | undefined {
    return this.#atIdentity.get<{ id: number }>(fileSystem, toU64(inode), toU64(bornNs))?.id;
  }

  /** It is given up: it has no identity any more, and no object that counts. */
  setLeaving(id: number): void {
    this.#setLeaving.run(id);
  }

  /** Directories that are given up and not gone yet, each behind its parent. */
  leaving(): readonly number[] {
    return this.#leaving.all<{ id: number }>().map((row) => row.id);
  }

  /** Takes directories to be listed, the latest found first: that keeps the backlog small. */
  claimFound(limit: number): readonly number[] {
    return this.#found.all<{ id: number }>(limit).map((row) => row.id);
  }

  /** Takes directories to be written, each as its next revision; never the root. */
  claimReady(limit: number): readonly number[] {
    return this.#ready.all<{ id: number }>(limit).map((row) => row.id);
  }

  /** Takes the root to be written, as its next revision. */
  claimRoot(): void {
    this.#claimRoot.run();
  }

  /** Directories that were claimed for writing and are not written, by ascending id. */
  writing(afterId: number, limit: number): readonly DirectoryRecord[] {
    return this.#writing.all<Row>(afterId, limit).map(decode);
  }

  /** Takes directories in which failed entries are to be looked at again. */
  claimLook(limit: number): readonly number[] {
    return this.#look.all<{ id: number }>(limit).map((row) => row.id);
  }

  /** @param status one of `LookStatus` */
  setLook(id: number, status: number): void {
    this.#setLook.run(status, id);
  }

  /** Whether failed entries of it are to be looked at already. */
  isLookedAt(id: number): boolean {
    return this.#isLookedAt.get(id) !== undefined;
  }

  /** Forgets a directory that could not be listed, or of which nothing is left. */
  delete(id: number): void {
    this.#delete.run(id);
  }

  /** Counts anew what each directory waits for. */
  recount(): void {
    this.#recount.run();
    this.#reconsider.run();
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

  /** Makes a directory wait for `more` further things; one that is written is written again. */
  reopen(id: number, more: number): void {
    this.#reopen.run(more, id);
  }

  /** Makes a directory wait for the linked inodes. */
  awaitLinks(id: number): void {
    if (this.#waitsForLinks.get(id)) return;
    this.reopen(id, 1);
    this.#setLinks.run(id);
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

  /** @param tally of its objects, encoded */
  setWritten(id: number, blocks: number, tally: Uint8Array): void {
    this.#written.run(blocks, tally, id);
  }

  /** What counts of it in the container; undefined when nothing does. */
  written(id: number): WrittenDirectory | undefined {
    return this.#current.get<{ revision: number; blocks: number; tally: Uint8Array | null }>(id);
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

  /** Whether directories remain to be listed, or entries to be looked at again. */
  hasUnlisted(): boolean {
    return this.#unfinished.get() !== undefined;
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
    bornNs: fromU64(row.born),
    sequence,
    manager,
    status,
    revision,
    attributes: row.attributes ?? undefined,
  };
}
