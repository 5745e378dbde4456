import type { EntryType } from '../format/ids.js';
import type { Database } from './database.js';
import { Statement } from './database.js';
import { LinkStatus, WorkStatus } from './schema.js';
import { fromU64, toU64 } from './u64.js';

/** A file with several links. */
export interface LinkGroupRecord {
  readonly id: number;
  readonly fileSystem: number;
  readonly inode: bigint;
  readonly type: EntryType;
  /** 0 until the scan is complete. */
  readonly sequence: number;
  /** Directory manager of the directory where it was found first. */
  readonly manager: number;
  readonly generation: number;
  readonly revision: number;
  readonly suspect: boolean;
  readonly status: number;
  /** What was written of it before; undefined when nothing was. */
  readonly former: { readonly revision: number; readonly generation: number; readonly blocks: number } | undefined;
}

/** One name of a linked file. */
export interface LinkRecord {
  readonly id: number;
  readonly directory: number;
  readonly name: Uint8Array;
}

interface Row {
  id: number;
  file_system: number;
  inode: Uint8Array;
  type: number;
  sequence: number;
  manager: number;
  generation: number;
  revision: number;
  suspect: number;
  status: number;
  written_revision: number | null;
  written_generation: number | null;
  written_blocks: number | null;
}

/** The linked files of a job. */
export class LinkGroups {
  readonly #find: Statement;
  readonly #insert: Statement;
  readonly #get: Statement;
  readonly #addLink: Statement;
  readonly #countLinks: Statement;
  readonly #claim: Statement;
  readonly #identify: Statement;
  readonly #setStatus: Statement;
  readonly #setGeneration: Statement;
  readonly #written: Statement;
  readonly #reopen: Statement;
  readonly #links: Statement;
  readonly #reveal: Statement;
  readonly #dropHidden: Statement;
  readonly #dropEmpty: Statement;
  readonly #ofDirectory: Statement;
  readonly #hasLinks: Statement;
  readonly #open: Statement;
  readonly #count: Statement;
  readonly #linksWritten: Statement;
  readonly #dropFound: Statement;
  readonly #revert: Statement;

  constructor(db: Database) {
    const S = WorkStatus;
    const L = LinkStatus;
    this.#linksWritten = new Statement(db, `UPDATE link SET status = ${L.written} WHERE link_group = ? AND status = ${L.found}`);
    this.#dropFound = new Statement(db, `DELETE FROM link WHERE link_group = ? AND status = ${L.found} RETURNING id, directory, name`);
    this.#revert = new Statement(db, `UPDATE link_group SET status = ${S.done}, revision = written_revision WHERE id = ?`);
    this.#find = new Statement(db, 'SELECT * FROM link_group WHERE file_system = ? AND inode = ? ORDER BY copy DESC LIMIT 1');
    this.#insert = new Statement(
      db,
      `INSERT INTO link_group (file_system, inode, copy, type, link_count, status, suspect, sequence, manager, generation, revision) VALUES (?, ?, ?, ?, ?, ${S.pending}, 0, 0, 0, 0, 0)`,
    );
    this.#get = new Statement(db, 'SELECT * FROM link_group WHERE id = ?');
    this.#addLink = new Statement(db, 'INSERT INTO link (link_group, directory, name, status) VALUES (?, ?, ?, ?)');
    this.#countLinks = new Statement(db, 'SELECT count(*) AS n FROM link WHERE link_group = ?');
    this.#claim = new Statement(
      db,
      `UPDATE link_group SET status = ${S.running} WHERE id IN (SELECT id FROM link_group WHERE status = ${S.pending} ORDER BY id LIMIT ?) RETURNING *`,
    );
    this.#identify = new Statement(db, 'UPDATE link_group SET sequence = ?, manager = ? WHERE id = ?');
    this.#setStatus = new Statement(db, 'UPDATE link_group SET status = ? WHERE id = ?');
    this.#setGeneration = new Statement(db, 'UPDATE link_group SET generation = ? WHERE id = ?');
    this.#written = new Statement(
      db,
      `UPDATE link_group SET status = ${S.done}, suspect = 0, written_revision = revision, written_generation = ?, written_blocks = ? WHERE id = ?`,
    );
    this.#reopen = new Statement(
      db,
      `UPDATE link_group SET generation = generation + 1, revision = CASE WHEN written_revision IS NOT NULL THEN written_revision + 1 ELSE revision END,
       status = ${S.pending} WHERE id = ?`,
    );
    this.#links = new Statement(db, `SELECT id, directory, name FROM link WHERE link_group = ? AND status <> ${L.hidden} ORDER BY id`);
    this.#reveal = new Statement(db, `UPDATE link SET status = ${L.found} WHERE directory = ? AND status = ${L.hidden} RETURNING link_group`);
    this.#dropHidden = new Statement(db, `DELETE FROM link WHERE directory = ? AND status = ${L.hidden}`);
    this.#dropEmpty = new Statement(db, 'DELETE FROM link_group WHERE id NOT IN (SELECT link_group FROM link) AND sequence = 0');
    this.#ofDirectory = new Statement(
      db,
      `SELECT link.id, link.name, g.sequence, g.type, g.manager FROM link JOIN link_group g ON g.id = link.link_group
       WHERE link.directory = ? AND link.id > ? AND link.status <> ${L.hidden} AND g.status = ${S.done} ORDER BY link.id LIMIT ?`,
    );
    this.#hasLinks = new Statement(db, 'SELECT 1 FROM link WHERE directory = ? LIMIT 1');
    this.#open = new Statement(db, `SELECT count(*) AS n FROM link_group WHERE status IN (${S.pending}, ${S.running})`);
    this.#count = new Statement(db, 'SELECT count(*) AS n FROM link_group');
  }

  /**
   * Records a name of a linked file.
   *
   * @param mostLinks of one inode; each further name becomes a copy of its own
   * @returns the group, and whether it is new
   */
  addLink(
    link: {
      readonly directory: number;
      readonly name: Uint8Array;
      readonly fileSystem: number;
      readonly inode: bigint;
      readonly type: EntryType;
      readonly linkCount: number;
    },
    hidden: boolean,
    mostLinks: number,
  ): { readonly group: LinkGroupRecord; readonly isNew: boolean; readonly isCopy: boolean } {
    const inode = toU64(link.inode);
    const latest = this.#find.get<Row & { copy: number }>(link.fileSystem, inode);
    const full = latest !== undefined && (latest.copy > 0 || (this.#countLinks.get<{ n: number }>(latest.id)?.n ?? 0) >= mostLinks);
    let id = latest?.id ?? 0;
    const isNew = latest === undefined || full;
    if (isNew) id = this.#insert.insert(link.fileSystem, inode, latest ? latest.copy + 1 : 0, link.type, link.linkCount);
    this.#addLink.run(id, link.directory, link.name, hidden ? LinkStatus.hidden : LinkStatus.found);
    return { group: this.get(id), isNew, isCopy: full };
  }

  get(id: number): LinkGroupRecord {
    const row = this.#get.get<Row>(id);
    if (!row) throw new Error(`The state has no link group ${id}.`);
    return decode(row);
  }

  claim(limit: number): readonly LinkGroupRecord[] {
    return this.#claim.all<Row>(limit).map(decode);
  }

  /** Gives a group its handle's parts, once all its names are known. */
  identify(id: number, sequence: number, manager: number): void {
    this.#identify.run(sequence, manager, id);
  }

  setFailed(id: number): void {
    this.#setStatus.run(WorkStatus.failed, id);
  }

  setGeneration(id: number, generation: number): void {
    this.#setGeneration.run(generation, id);
  }

  setWritten(id: number, generation: number, blocks: number): void {
    this.#written.run(generation, blocks, id);
    this.#linksWritten.run(id);
  }

  /** Leaves the inode as it was last written. @returns the names that it has not, dropped here */
  revert(id: number): readonly LinkRecord[] {
    this.#revert.run(id);
    return this.#dropFound.all(id) as unknown as LinkRecord[];
  }

  /** Adds a name to a group that is known. */
  addName(id: number, directory: number, name: Uint8Array): void {
    this.#addLink.run(id, directory, name, LinkStatus.found);
  }

  /** Has the inode written again, as the next revision if it was written. */
  reopen(id: number): void {
    this.#reopen.run(id);
  }

  /** The names of a group in the order in which they were found. */
  links(id: number): readonly LinkRecord[] {
    return this.#links.all(id) as unknown as LinkRecord[];
  }

  /** Makes the names of a directory count whose listing is complete. @returns the groups that they belong to */
  reveal(directory: number): readonly number[] {
    return this.#reveal.all<{ link_group: number }>(directory).map((row) => row.link_group);
  }

  dropHidden(directory: number): void {
    if (this.#dropHidden.run(directory) > 0) this.#dropEmpty.run();
  }

  /** Links of a directory whose inodes are done. */
  ofDirectory(
    directory: number,
    afterId: number,
    limit: number,
  ): readonly { readonly id: number; readonly name: Uint8Array; readonly sequence: number; readonly type: number; readonly manager: number }[] {
    return this.#ofDirectory.all(directory, afterId, limit);
  }

  hasLinks(directory: number): boolean {
    return this.#hasLinks.get(directory) !== undefined;
  }

  /** Groups that are neither done nor failed. */
  openCount(): number {
    return this.#open.get<{ n: number }>()?.n ?? 0;
  }

  count(): number {
    return this.#count.get<{ n: number }>()?.n ?? 0;
  }
}

function decode(row: Row): LinkGroupRecord {
  const { id, sequence, manager, generation, revision, status } = row;
  const former =
    row.written_revision === null ? undefined : { revision: row.written_revision, generation: row.written_generation ?? 0, blocks: row.written_blocks ?? 1 };
  return {
    id,
    fileSystem: row.file_system,
    inode: fromU64(row.inode),
    type: row.type as EntryType,
    sequence,
    manager,
    generation,
    revision,
    status,
    suspect: row.suspect !== 0,
    former,
  };
}
