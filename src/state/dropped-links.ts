import type { Database } from '../sqlite/database.js';
import { Statement } from '../sqlite/database.js';
import type { LinkGroupRecord } from './link-groups.js';
import { LinkStatus, WorkStatus } from './schema.js';

/** A name of a linked file, by its directory. */
export interface LinkInDirectory {
  readonly id: number;
  readonly group: number;
  /** Whether the inode in the container has it among its back pointers. */
  readonly written: boolean;
}

/**
 * Names of linked files whose directory was given up: dropped → gone, when the inode is rid of their back pointers.
 *
 * A dropped name is none of its group's any more.
 */
export class DroppedLinks {
  readonly #inDirectory: Statement;
  readonly #drop: Statement;
  readonly #groups: Statement;
  readonly #forget: Statement;
  readonly #setStatus: Statement;
  readonly #setInode: Statement;
  readonly #unwrite: Statement;

  constructor(db: Database) {
    const S = WorkStatus;
    const L = LinkStatus;
    this.#inDirectory = new Statement(
      db,
      `SELECT id, link_group, status FROM link WHERE directory = ? AND status IN (${L.found}, ${L.written}) ORDER BY id LIMIT ?`,
    );
    this.#drop = new Statement(db, `UPDATE link SET status = ${L.dropped} WHERE id = ?`);
    this.#groups = new Statement(
      db,
      `SELECT DISTINCT link_group AS id FROM link WHERE status = ${L.dropped} AND link_group > ? ORDER BY link_group LIMIT ?`,
    );
    this.#forget = new Statement(db, `DELETE FROM link WHERE link_group = ? AND status = ${L.dropped}`);
    this.#setStatus = new Statement(db, 'UPDATE link_group SET status = ? WHERE id = ?');
    this.#setInode = new Statement(db, 'UPDATE link_group SET written_name = ?, tally = ? WHERE id = ?');
    this.#unwrite = new Statement(
      db,
      `UPDATE link_group SET status = ${S.pending}, attempts = 0, written_name = NULL, written_generation = NULL, written_blocks = NULL, tally = NULL WHERE id = ?`,
    );
  }

  /** Names of a directory, whether their inodes count or not. */
  inDirectory(directory: number, limit: number): readonly LinkInDirectory[] {
    const rows = this.#inDirectory.all<{ id: number; link_group: number; status: number }>(directory, limit);
    return rows.map(({ id, link_group: group, status }) => ({ id, group, written: status === LinkStatus.written }));
  }

  /**
   * A name that the inode has is none any more. @param name exact name of the inode's blob: it may be told by the first
   * name else
   */
  drop(link: number, group: LinkGroupRecord, name: string): void {
    this.#drop.run(link);
    this.#setInode.run(name, group.written?.tally ?? null, group.id);
  }

  /** Groups whose inode has back pointers of dropped names, by ascending id. */
  groups(afterId: number, limit: number): readonly number[] {
    return this.#groups.all<{ id: number }>(afterId, limit).map((row) => row.id);
  }

  /** Dropped names of a group are forgotten. */
  forget(group: number): void {
    this.#forget.run(group);
  }

  /** The group is claimed to be written without them. */
  claim(group: number): void {
    this.#setStatus.run(WorkStatus.running, group);
  }

  /**
   * Its inode counts under a new name, over the same blocks, without the dropped names. @param status pending when it
   * has further names
   */
  setRelinked(group: number, status: number, name: string, tally: Uint8Array): void {
    this.#forget.run(group);
    this.#setInode.run(name, tally, group);
    this.#setStatus.run(status, group);
  }

  /** Nothing of the group counts any more; names that are left wait to be loaded. */
  unwrite(group: number): void {
    this.#forget.run(group);
    this.#unwrite.run(group);
  }
}
