import type { Database } from '../../sqlite/database.js';
import { Statement } from '../../sqlite/database.js';
import { WorkStatus } from './schema.js';

/** A name that was written whole, or the temporary file, to which others can be linked. */
export interface LinkOrigin {
  readonly directory: number;
  readonly name: Uint8Array;
  /** Inode number that it then had. */
  readonly inode: bigint;
}

/** A file with several names. */
export interface LinkGroupRecord {
  readonly id: number;
  readonly handle: Uint8Array;
  readonly origin: LinkOrigin | undefined;
}

/** A name of it that is to be dealt with. */
export interface LinkRecord {
  readonly id: number;
  readonly directory: number;
  readonly name: Uint8Array;
}

interface Row {
  id: number;
  handle: Uint8Array;
  origin_directory: number | null;
  origin_name: Uint8Array | null;
  origin_inode: string | null;
}

/**
 * The files with several names: pending → running → done, and pending again when a further name is found. Their names
 * are gone when they are dealt with.
 */
export class LinkGroups {
  readonly #insert: Statement;
  readonly #find: Statement;
  readonly #insertLink: Statement;
  readonly #claim: Statement;
  readonly #status: Statement;
  readonly #again: Statement;
  readonly #origin: Statement;
  readonly #links: Statement;
  readonly #deleteLink: Statement;
  readonly #hasPending: Statement;

  constructor(db: Database) {
    const W = WorkStatus;
    this.#insert = new Statement(db, `INSERT INTO link_group (handle, status) VALUES (?, ${W.pending})`);
    this.#find = new Statement(db, 'SELECT id FROM link_group WHERE handle = ?');
    this.#insertLink = new Statement(db, 'INSERT INTO link (link_group, directory, name) VALUES (?, ?, ?)');
    this.#claim = new Statement(
      db,
      `UPDATE link_group SET status = ${W.running} WHERE id IN (SELECT id FROM link_group WHERE status = ${W.pending} ORDER BY id LIMIT ?) RETURNING *`,
    );
    this.#status = new Statement(db, 'UPDATE link_group SET status = ? WHERE id = ?');
    this.#again = new Statement(db, `UPDATE link_group SET status = ${W.pending} WHERE id = ? AND status = ${W.done}`);
    this.#origin = new Statement(
      db,
      'UPDATE link_group SET origin_directory = ?, origin_name = ?, origin_inode = ? WHERE id = ?',
    );
    this.#links = new Statement(db, 'SELECT id, directory, name FROM link WHERE link_group = ? ORDER BY id LIMIT ?');
    this.#deleteLink = new Statement(db, 'DELETE FROM link WHERE id = ?');
    this.#hasPending = new Statement(db, `SELECT 1 FROM link_group WHERE status = ${W.pending} LIMIT 1`);
  }

  /** A name was found. */
  add(handle: Uint8Array, directory: number, name: Uint8Array): void {
    const known = this.#find.get<{ id: number }>(handle);
    const id = known?.id ?? this.#insert.insert(handle);
    this.#insertLink.run(id, directory, name);
    if (known) this.#again.run(id);
  }

  /** Moves up to `limit` groups from pending to running. */
  claim(limit: number): readonly LinkGroupRecord[] {
    return this.#claim.all<Row>(limit).map((row) => ({
      id: row.id,
      handle: row.handle,
      origin:
        row.origin_directory === null || row.origin_name === null || row.origin_inode === null
          ? undefined
          : { directory: row.origin_directory, name: row.origin_name, inode: BigInt(row.origin_inode) },
    }));
  }

  setStatus(id: number, status: number): void {
    this.#status.run(status, id);
  }

  setOrigin(id: number, origin: LinkOrigin | undefined): void {
    this.#origin.run(origin?.directory ?? null, origin?.name ?? null, origin ? String(origin.inode) : null, id);
  }

  /** Names that are to be dealt with, by ascending id. */
  links(group: number, limit: number): readonly LinkRecord[] {
    return this.#links.all<LinkRecord & { id: number; directory: number; name: Uint8Array }>(group, limit);
  }

  /** A name has been dealt with. */
  deleteLink(id: number): void {
    this.#deleteLink.run(id);
  }

  hasPending(): boolean {
    return this.#hasPending.get() !== undefined;
  }
}
