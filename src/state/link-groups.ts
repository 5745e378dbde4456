import type { EntryType } from '../format/ids.js';
import type { Database } from '../sqlite/database.js';
import { Statement } from '../sqlite/database.js';
import { LinkStatus, WorkStatus } from './schema.js';
import { fromU64, toU64 } from './u64.js';

/** A file with several links. */
export interface LinkGroupRecord {
  readonly id: number;
  readonly fileSystem: number;
  readonly inode: bigint;
  readonly type: EntryType;
  /** Of its handle; 0 before it is claimed for the first time. */
  readonly sequence: number;
  /** Directory manager of the directory that its first back pointer names. */
  readonly manager: number;
  /** The latest one that was claimed for writing, also the generation of its segments; -1 for none. */
  readonly revision: number;
  /** Tries in the current session that ended because the file changed. */
  readonly attempts: number;
  readonly status: number;
  /** What counts of it in the container; undefined when nothing does. */
  readonly written: WrittenGroup | undefined;
}

/** A linked inode as it counts in the container. */
export interface WrittenGroup {
  /** Exact name of the inode's blob. For what version 0.1.0 wrote: `revision ` and a number. */
  readonly name: string;
  readonly generation: number;
  readonly blocks: number;
  /** Of file data; null for what version 0.1.0 wrote. */
  readonly bytes: number | null;
  /** `Tally.encode`'s; null for what version 0.1.0 wrote. */
  readonly tally: Uint8Array | null;
}

/** One name of a linked file. */
export interface LinkRecord {
  readonly id: number;
  readonly directory: number;
  readonly name: Uint8Array;
  /** Whether the inode in the container has it among its back pointers. */
  readonly written: boolean;
}

interface Row {
  id: number;
  file_system: number;
  inode: Uint8Array;
  copy: number;
  type: number;
  status: number;
  attempts: number;
  sequence: number;
  manager: number;
  revision: number;
  written_name: string | null;
  written_generation: number | null;
  written_blocks: number | null;
  written_bytes: number | null;
  tally: Uint8Array | null;
}

interface LinkRow {
  id: number;
  directory: number;
  name: Uint8Array;
  status: number;
}

/**
 * The linked files of a job: pending (its names are gathered) → running → done.
 *
 * Each claim takes names that nobody has had: a new handle while nothing of the inode counts, the next revision
 * afterwards. A group that fails before anything of it counts is gone, and its names are failures; one that counts
 * stays as it is.
 */
export class LinkGroups {
  readonly #find: Statement;
  readonly #insert: Statement;
  readonly #get: Statement;
  readonly #addLink: Statement;
  readonly #countLinks: Statement;
  readonly #claim: Statement;
  readonly #setNames: Statement;
  readonly #setStatus: Statement;
  readonly #again: Statement;
  readonly #written: Statement;
  readonly #links: Statement;
  readonly #reveal: Statement;
  readonly #dropHidden: Statement;
  readonly #dropEmpty: Statement;
  readonly #ofDirectory: Statement;
  readonly #open: Statement;
  readonly #linksWritten: Statement;
  readonly #running: Statement;
  readonly #delete: Statement;
  readonly #deleteLinks: Statement;
  readonly #deleteLink: Statement;
  readonly #move: Statement;
  readonly #lastCopy: Statement;
  readonly #resetAttempts: Statement;
  readonly #withSequence: Statement;

  constructor(db: Database) {
    const S = WorkStatus;
    const L = LinkStatus;
    const list = `SELECT id, directory, name, status FROM link WHERE link_group = ? AND status NOT IN (${L.hidden}, ${L.dropped}) ORDER BY id`;
    this.#find = new Statement(
      db,
      'SELECT * FROM link_group WHERE file_system = ? AND inode = ? AND type = ? ORDER BY copy DESC LIMIT 2',
    );
    this.#insert = new Statement(
      db,
      `INSERT INTO link_group (file_system, inode, copy, type, status, attempts, sequence, manager, revision)
       VALUES (?, ?, ?, ?, ${S.pending}, 0, 0, 0, -1)`,
    );
    this.#get = new Statement(db, 'SELECT * FROM link_group WHERE id = ?');
    this.#addLink = new Statement(db, 'INSERT INTO link (link_group, directory, name, status) VALUES (?, ?, ?, ?)');
    this.#countLinks = new Statement(db, 'SELECT count(*) AS n FROM link WHERE link_group = ?');
    this.#claim = new Statement(
      db,
      `UPDATE link_group SET status = ${S.running}
       WHERE id IN (SELECT id FROM link_group WHERE status = ${S.pending} ORDER BY id LIMIT ?) RETURNING *`,
    );
    this.#setNames = new Statement(db, 'UPDATE link_group SET sequence = ?, manager = ?, revision = ? WHERE id = ?');
    this.#setStatus = new Statement(db, 'UPDATE link_group SET status = ? WHERE id = ?');
    this.#again = new Statement(db, `UPDATE link_group SET status = ${S.pending}, attempts = ? WHERE id = ?`);
    this.#written = new Statement(
      db,
      `UPDATE link_group SET status = ${S.done}, written_name = ?, written_generation = ?, written_blocks = ?, written_bytes = ?, tally = ? WHERE id = ?`,
    );
    this.#linksWritten = new Statement(
      db,
      `UPDATE link SET status = ${L.written} WHERE link_group = ? AND status = ${L.found}`,
    );
    this.#links = new Statement(db, list);
    this.#reveal = new Statement(
      db,
      `UPDATE link SET status = ${L.found} WHERE directory = ? AND status = ${L.hidden} RETURNING link_group`,
    );
    this.#dropHidden = new Statement(db, `DELETE FROM link WHERE directory = ? AND status = ${L.hidden}`);
    this.#dropEmpty = new Statement(
      db,
      `DELETE FROM link_group WHERE status = ${S.pending} AND written_name IS NULL AND id NOT IN (SELECT link_group FROM link)`,
    );
    this.#ofDirectory = new Statement(
      db,
      `SELECT link.id, link.name, g.sequence, g.type, g.manager FROM link JOIN link_group g ON g.id = link.link_group
       WHERE link.directory = ? AND link.id > ? AND link.status = ${L.written} ORDER BY link.id LIMIT ?`,
    );
    this.#open = new Statement(db, `SELECT 1 FROM link_group WHERE status IN (${S.pending}, ${S.running}) LIMIT 1`);
    this.#running = new Statement(
      db,
      `SELECT * FROM link_group WHERE status = ${S.running} AND id > ? ORDER BY id LIMIT ?`,
    );
    this.#delete = new Statement(db, 'DELETE FROM link_group WHERE id = ?');
    this.#deleteLinks = new Statement(db, 'DELETE FROM link WHERE link_group = ?');
    this.#deleteLink = new Statement(db, 'DELETE FROM link WHERE id = ?');
    this.#move = new Statement(db, `UPDATE link SET link_group = ? WHERE link_group = ? AND status = ${L.found}`);
    this.#lastCopy = new Statement(db, 'SELECT max(copy) AS n FROM link_group WHERE file_system = ? AND inode = ?');
    this.#resetAttempts = new Statement(db, 'UPDATE link_group SET attempts = 0 WHERE attempts <> 0');
    this.#withSequence = new Statement(db, 'SELECT * FROM link_group WHERE sequence = ?');
  }

  /**
   * Records a name of a linked file.
   *
   * @param mostLinks of one inode; each further name becomes a copy of its own
   * @returns the group, and whether it is new, or such a copy
   */
  addLink(
    link: {
      readonly directory: number;
      readonly name: Uint8Array;
      readonly fileSystem: number;
      readonly inode: bigint;
      readonly type: EntryType;
    },
    hidden: boolean,
    mostLinks: number,
  ): { readonly group: LinkGroupRecord; readonly isNew: boolean; readonly isCopy: boolean } {
    const inode = toU64(link.inode);
    // An inode of another type is another file: the number is used again.
    const [latest, earlier] = this.#find.all<Row>(link.fileSystem, inode, link.type) as [Row?, Row?];
    const full =
      latest !== undefined &&
      (earlier !== undefined || (this.#countLinks.get<{ n: number }>(latest.id)?.n ?? 0) >= mostLinks);
    let id = latest?.id ?? 0;
    const isNew = latest === undefined || full;
    if (isNew) id = this.#insert.insert(link.fileSystem, inode, this.#nextCopy(link.fileSystem, inode), link.type);
    this.#addLink.run(id, link.directory, link.name, hidden ? LinkStatus.hidden : LinkStatus.found);
    return { group: this.get(id), isNew, isCopy: full };
  }

  get(id: number): LinkGroupRecord {
    const record = this.find(id);
    if (!record) throw new Error(`The state has no link group ${id}.`);
    return record;
  }

  find(id: number): LinkGroupRecord | undefined {
    const row = this.#get.get<Row>(id);
    return row && decode(row);
  }

  /** Moves up to `limit` groups from pending to running; each is to be given names by {@link setNames}. */
  claim(limit: number): readonly LinkGroupRecord[] {
    return this.#claim.all<Row>(limit).map(decode);
  }

  /** Groups that were claimed and are not done, by ascending id. */
  running(afterId: number, limit: number): readonly LinkGroupRecord[] {
    return this.#running.all<Row>(afterId, limit).map(decode);
  }

  /** Records the names that a claim takes. */
  setNames(id: number, sequence: number, manager: number, revision: number): void {
    this.#setNames.run(sequence, manager, revision, id);
  }

  /** Its try has ended without anything that counts: it waits for another one. */
  again(id: number, attempts: number): void {
    this.#again.run(attempts, id);
  }

  setWritten(id: number, { name, generation, blocks, bytes, tally }: WrittenGroup): void {
    this.#written.run(name, generation, blocks, bytes, tally, id);
    this.#linksWritten.run(id);
  }

  /** Leaves the inode as it was last written. */
  keep(id: number): void {
    this.#setStatus.run(WorkStatus.done, id);
  }

  /** Forgets a group of which nothing counts, with its names. */
  delete(id: number): void {
    this.#deleteLinks.run(id);
    this.#delete.run(id);
  }

  deleteLink(id: number): void {
    this.#deleteLink.run(id);
  }

  /** Gives the names that the inode has not to a new group of their own: they cannot be shown to be the same file. */
  separate(group: LinkGroupRecord): void {
    const inode = toU64(group.inode);
    this.#move.run(
      this.#insert.insert(group.fileSystem, inode, this.#nextCopy(group.fileSystem, inode), group.type),
      group.id,
    );
  }

  #nextCopy(fileSystem: number, inode: Uint8Array): number {
    return (this.#lastCopy.get<{ n: number | null }>(fileSystem, inode)?.n ?? -1) + 1;
  }

  /** The names of a group in the order in which they were found. */
  links(id: number): readonly LinkRecord[] {
    return this.#links
      .all<LinkRow>(id)
      .map(({ status, ...link }) => ({ ...link, written: status === LinkStatus.written }));
  }

  /** Makes the names of a directory count whose listing is complete. @returns the groups that they belong to */
  reveal(directory: number): readonly number[] {
    return this.#reveal.all<{ link_group: number }>(directory).map((row) => row.link_group);
  }

  dropHidden(directory: number): void {
    if (this.#dropHidden.run(directory) > 0) this.#dropEmpty.run();
  }

  /** Names of a directory whose inodes count. */
  ofDirectory(
    directory: number,
    afterId: number,
    limit: number,
  ): readonly {
    readonly id: number;
    readonly name: Uint8Array;
    readonly sequence: number;
    readonly type: number;
    readonly manager: number;
  }[] {
    return this.#ofDirectory.all(directory, afterId, limit);
  }

  /** Whether groups are neither done nor failed. */
  hasOpen(): boolean {
    return this.#open.get() !== undefined;
  }

  resetAttempts(): void {
    this.#resetAttempts.run();
  }

  /** Group of a sequence number, by a slow search. */
  withSequence(sequence: number): LinkGroupRecord | undefined {
    const row = this.#withSequence.get<Row>(sequence);
    return row && decode(row);
  }
}

function decode(row: Row): LinkGroupRecord {
  const { id, sequence, manager, revision, status, attempts } = row;
  const written =
    row.written_name === null
      ? undefined
      : {
          name: row.written_name,
          generation: row.written_generation ?? 0,
          blocks: row.written_blocks ?? 1,
          bytes: row.written_bytes,
          tally: row.tally,
        };
  return {
    id,
    fileSystem: row.file_system,
    inode: fromU64(row.inode),
    type: row.type as EntryType,
    sequence,
    manager,
    revision,
    attempts,
    status,
    written,
  };
}
