import type { Database } from '../sqlite/database.js';
import { Statement } from '../sqlite/database.js';
import {
  type DirectoryRecord,
  type DirectoryRow,
  decodeDirectory,
  ROOT_DIRECTORY,
  UNKNOWN_IDENTITY,
} from './directories.js';
import { DirectoryStatus, LookStatus, WorkStatus } from './schema.js';

/** What counts of a directory in the container. */
export interface WrittenDirectory {
  readonly revision: number;
  readonly blocks: number;
  /** `Tally.encode`'s; null for what version 0.1.0 wrote. */
  readonly tally: Uint8Array | null;
}

/**
 * The life of the directories of a job: each transition has a name here, and stands in docs/job-state.md.
 *
 * Each claim for writing takes the next revision, whose names nobody has had.
 */
export class DirectoryLife {
  readonly #found: Statement;
  readonly #ready: Statement;
  readonly #writing: Statement;
  readonly #loseListing: Statement;
  readonly #loseWriting: Statement;
  readonly #claimRoot: Statement;
  readonly #look: Statement;
  readonly #wantLook: Statement;
  readonly #setLook: Statement;
  readonly #recount: Statement;
  readonly #reconsider: Statement;
  readonly #listed: Statement;
  readonly #less: Statement;
  readonly #written: Statement;
  readonly #reopen: Statement;
  readonly #reveal: Statement;
  readonly #dropHidden: Statement;
  readonly #releaseLinks: Statement;
  readonly #current: Statement;
  readonly #unfinished: Statement;
  readonly #setLeaving: Statement;
  readonly #leaving: Statement;
  readonly #waitsForLinks: Statement;
  readonly #setLinks: Statement;

  constructor(db: Database) {
    const S = DirectoryStatus;
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
    this.#wantLook = new Statement(
      db,
      `UPDATE directory SET look = ${LookStatus.wanted} WHERE id = ? AND look = ${LookStatus.none}`,
    );
    this.#setLook = new Statement(db, 'UPDATE directory SET look = ? WHERE id = ?');
    // What it waits for is counted anew when a session begins.
    this.#recount = new Statement(
      db,
      `UPDATE directory SET pending = (SELECT count(*) FROM chunk WHERE chunk.directory = directory.id AND chunk.status IN (${WorkStatus.pending}, ${WorkStatus.running}))
         + (SELECT count(*) FROM large WHERE large.directory = directory.id AND large.link_group IS NULL)
         + (SELECT count(*) FROM directory AS child WHERE child.parent = directory.id AND child.status IN (${S.found}, ${S.listing}))
         + links + (look <> ${LookStatus.none}) WHERE status IN (${S.waiting}, ${S.ready})`,
    );
    this.#reconsider = new Statement(
      db,
      `UPDATE directory SET status = CASE WHEN pending = 0 THEN ${S.ready} ELSE ${S.waiting} END
       WHERE status IN (${S.waiting}, ${S.ready})`,
    );
    this.#loseListing = new Statement(
      db,
      `UPDATE directory SET status = ${S.found} WHERE id = ? AND status = ${S.listing}`,
    );
    this.#loseWriting = new Statement(
      db,
      `UPDATE directory SET status = ${S.ready} WHERE id = ? AND status = ${S.writing}`,
    );
    this.#listed = new Statement(
      db,
      `UPDATE directory SET attributes = ?, pending = ?, links = ?,
       status = CASE WHEN ? = 0 THEN ${S.ready} ELSE ${S.waiting} END WHERE id = ?`,
    );
    this.#less = new Statement(
      db,
      `UPDATE directory SET pending = pending + ?1, status = CASE WHEN pending + ?1 = 0 AND status = ${S.waiting} THEN ${S.ready} ELSE status END WHERE id = ?2`,
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
    // Its identity is free for the directory that is loaded anew.
    this.#setLeaving = new Statement(
      db,
      `UPDATE directory SET status = ${S.leaving}, look = ${LookStatus.none}, inode = ${UNKNOWN_IDENTITY}, pending = 0, links = 0,
       written_revision = NULL, written_blocks = NULL, tally = NULL, entry_tally = NULL WHERE id = ?`,
    );
    this.#leaving = new Statement(db, `SELECT id FROM directory WHERE status = ${S.leaving} ORDER BY id`);
  }

  /** Takes directories to be listed, the latest found first: that keeps the backlog small. */
  claimFound(limit: number): readonly number[] {
    return this.#found.all<{ id: number }>(limit).map((row) => row.id);
  }

  /** Its listing is lost: it is to be listed anew. */
  loseListing(id: number): void {
    if (this.#loseListing.run(id) === 0) throw new Error(`Directory ${id} is not being listed.`);
  }

  /** What a listing found is no part of it: it begins anew. */
  dropHiddenChildren(parent: number): void {
    this.#dropHidden.run(parent);
  }

  /** The listing in which they were found is complete. */
  revealChildren(parent: number): void {
    this.#reveal.run(parent);
  }

  /** @param pending chunks, sub-directories to be listed, and 1 for links; with 0 it can be written */
  setListed(id: number, attributes: Uint8Array, pending: number, hasLinks: boolean): void {
    this.#listed.run(attributes, pending, hasLinks ? 1 : 0, pending, id);
  }

  /** Whether directories remain to be listed, or entries to be looked at again. */
  hasUnlisted(): boolean {
    return this.#unfinished.get() !== undefined;
  }

  /** Changes what the directory waits for; it is ready when nothing is left. */
  addPending(id: number, change: number): void {
    this.#less.run(change, id);
  }

  /** Makes a directory wait for the linked inodes; one that is written is written again. */
  awaitLinks(id: number): void {
    if (this.#waitsForLinks.get(id)) return;
    this.#reopen.run(1, id);
    this.#setLinks.run(id);
  }

  /** All linked inodes are done or failed: directories that waited for them go on. */
  releaseLinks(): void {
    this.#releaseLinks.run();
  }

  /** Failed entries of it are to be looked at again, for which it waits; one that is written is written again. */
  wantLook(id: number): void {
    if (this.#wantLook.run(id) > 0) this.#reopen.run(1, id);
  }

  /** Takes directories in which failed entries are to be looked at again. */
  claimLook(limit: number): readonly number[] {
    return this.#look.all<{ id: number }>(limit).map((row) => row.id);
  }

  /** A look is lost, or there are more entries to be looked at: another one is wanted. */
  repeatLook(id: number): void {
    this.#setLook.run(LookStatus.wanted, id);
  }

  /** All entries have been looked at: it does not wait for that any more. */
  endLook(id: number): void {
    this.#setLook.run(LookStatus.none, id);
    this.addPending(id, -1);
  }

  /** Counts anew what each directory waits for. */
  recount(): void {
    this.#recount.run();
    this.#reconsider.run();
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
    return this.#writing.all<DirectoryRow>(afterId, limit).map(decodeDirectory);
  }

  /** What was claimed for writing is lost: it can be written, as another revision. */
  loseWriting(id: number): void {
    if (this.#loseWriting.run(id) === 0) throw new Error(`Directory ${id} is not being written.`);
  }

  /** @param tally of its objects, encoded */
  setWritten(id: number, blocks: number, tally: Uint8Array): void {
    this.#written.run(blocks, tally, id);
  }

  /** What counts of it in the container; undefined when nothing does. */
  written(id: number): WrittenDirectory | undefined {
    return this.#current.get<{ revision: number; blocks: number; tally: Uint8Array | null }>(id);
  }

  /** It is given up: it has no identity any more, and no object that counts. */
  setLeaving(id: number): void {
    this.#setLeaving.run(id);
  }

  /** Directories that are given up and not gone yet, each behind its parent. */
  leaving(): readonly number[] {
    return this.#leaving.all<{ id: number }>().map((row) => row.id);
  }
}
