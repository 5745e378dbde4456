import type { Database } from '../../sqlite/database.js';
import { Statement } from '../../sqlite/database.js';
import { DirectoryStatus, ROOT_DEPTH, ROOT_DIRECTORY } from './schema.js';

/** A directory of the tree that is written. */
export interface DirectoryRecord {
  readonly id: number;
  /** 0 for the root. */
  readonly parent: number;
  readonly name: Uint8Array;
  readonly handle: Uint8Array;
  readonly depth: number;
  readonly status: number;
  /** Entries that have been taken from it. */
  readonly listed: number;
  readonly partial: boolean;
  readonly counted: boolean;
  /** Whether something in it, or below it, is recorded as done: then it must be there. */
  readonly filled: boolean;
  /** VATTR record; undefined before it was read. */
  readonly attributes: Uint8Array | undefined;
}

/** Directories that are kept at hand. */
const MOST_KEPT = 16_384;

interface Row {
  id: number;
  parent: number;
  name: Uint8Array;
  handle: Uint8Array;
  depth: number;
  status: number;
  listed: number;
  partial: number;
  counted: number;
  filled: number;
  attributes: Uint8Array | null;
}

/**
 * The directories of an export: found → listing → open → restored. A directory is in the tree once: its handle is its
 * identity.
 *
 * As long as one is not restored, none above it is: they get their attributes from the deepest up.
 */
export class Directories {
  readonly #insert: Statement;
  readonly #leave: Statement;
  readonly #get: Statement;
  readonly #child: Statement;
  readonly #byHandle: Statement;
  readonly #claim: Statement;
  readonly #status: Statement;
  readonly #listed: Statement;
  readonly #read: Statement;
  readonly #partial: Statement;
  readonly #counted: Statement;
  readonly #filled: Statement;
  readonly #deepest: Statement;
  readonly #open: Statement;
  readonly #unlisted: Statement;
  readonly #delete: Statement;
  /** Of directories in which nothing is done, the nearest one above in which something is; until that changes. */
  readonly #filledAbove = new Map<number, number | undefined>();

  constructor(db: Database) {
    const D = DirectoryStatus;
    this.#insert = new Statement(
      db,
      `INSERT INTO directory (parent, name, handle, depth, status, listed, partial, counted) VALUES (?, ?, ?, ?, ?, 0, 0, 0)`,
    );
    this.#leave = new Statement(db, 'UPDATE directory SET handle = ? WHERE id = ?');
    this.#get = new Statement(db, 'SELECT * FROM directory WHERE id = ?');
    this.#child = new Statement(db, `SELECT id FROM directory WHERE parent = ? AND name = ? AND status <> ${D.former}`);
    this.#byHandle = new Statement(db, 'SELECT * FROM directory WHERE handle = ?');
    // The latest found first: so few wait.
    this.#claim = new Statement(
      db,
      `UPDATE directory SET status = ${D.listing} WHERE id IN (SELECT id FROM directory WHERE status = ${D.found} ORDER BY id DESC LIMIT ?) RETURNING *`,
    );
    this.#status = new Statement(db, 'UPDATE directory SET status = ? WHERE id = ?');
    this.#listed = new Statement(db, 'UPDATE directory SET listed = ? WHERE id = ?');
    this.#read = new Statement(db, 'UPDATE directory SET attributes = ? WHERE id = ?');
    this.#partial = new Statement(db, 'UPDATE directory SET partial = ? WHERE id = ?');
    this.#counted = new Statement(db, 'UPDATE directory SET counted = 1 WHERE id = ?');
    this.#filled = new Statement(db, 'UPDATE directory SET filled = 1 WHERE id = ?');
    this.#deepest = new Statement(db, `SELECT max(depth) AS depth FROM directory WHERE status = ${D.open}`);
    this.#open = new Statement(
      db,
      `SELECT * FROM directory WHERE status = ${D.open} AND depth = ? AND (parent, id) > (?, ?) ORDER BY parent, id LIMIT ?`,
    );
    this.#delete = new Statement(db, 'DELETE FROM directory WHERE id = ?');
    this.#unlisted = new Statement(db, `SELECT 1 FROM directory WHERE status IN (${D.found}, ${D.listing}) LIMIT 1`);
  }

  /** Adds the first one. */
  addRoot(handle: Uint8Array, given: boolean): void {
    this.#insert.run(0, new Uint8Array(0), handle, ROOT_DEPTH, given ? DirectoryStatus.given : DirectoryStatus.found);
  }

  /**
   * A directory was found: it is to be read. One that is there already by this name, and failed, is tried again.
   *
   * @returns false when it is in the tree by another name
   */
  found(parent: number, name: Uint8Array, handle: Uint8Array): boolean {
    const known = this.#byHandle.get<Row>(handle);
    const isInPlace = known?.parent === parent && Buffer.compare(known.name, name) === 0;
    const isFormer = known?.status === DirectoryStatus.former;
    if (isFormer && isInPlace) {
      this.#status.run(DirectoryStatus.found, known.id);
      return true;
    }
    // What it has at its former place is looked for there.
    if (isFormer) this.#leave.run(placeId(known.id), known.id);
    if (!known || isFormer) {
      this.#insert.run(parent, name, handle, this.get(parent).depth + 1, DirectoryStatus.found);
      return true;
    }
    if (!isInPlace) return false;
    if (known.status === DirectoryStatus.failed || known.partial !== 0) {
      this.reopen(parent);
      this.#status.run(DirectoryStatus.found, known.id);
    }
    return true;
  }

  get(id: number): DirectoryRecord {
    const row = this.#get.get<Row>(id);
    if (!row) throw new Error(`The state has no directory ${id}.`);
    return decode(row);
  }

  /** Whether a path leads to one. For what is asked now and then: all rows are gone through for each component. */
  has(path: Uint8Array): boolean {
    let at: number | undefined = ROOT_DIRECTORY;
    for (const name of Buffer.from(path).toString('latin1').split('/')) {
      at = this.#child.get<{ id: number }>(at, Buffer.from(name, 'latin1'))?.id;
      if (at === undefined) return false;
    }
    return true;
  }

  /** Moves up to `limit` directories from found to listing. */
  claim(limit: number): readonly DirectoryRecord[] {
    return this.#claim.all<Row>(limit).map(decode);
  }

  setStatus(id: number, status: number): void {
    this.#status.run(status, id);
  }

  /** So many of its entries have been taken. */
  setListed(id: number, entries: number): void {
    this.#listed.run(entries, id);
  }

  /** Its attributes are known. */
  setRead(id: number, attributes: Uint8Array): void {
    this.#read.run(attributes, id);
  }

  /** Whether some of its entries could not be read. */
  setPartial(id: number, partial: boolean): void {
    this.#partial.run(partial ? 1 : 0, id);
  }

  /** It counts as written. */
  setCounted(id: number): void {
    this.#counted.run(id);
  }

  /** Something in it is done. */
  setFilled(id: number): void {
    for (let at = id; at !== 0; ) {
      const { parent, filled } = this.get(at);
      if (filled) return;
      this.#filled.run(at);
      this.#filledAbove.clear();
      at = parent;
    }
  }

  /** A directory itself, or the nearest one above, in which something is done; undefined where there is none. */
  nearestFilled(id: number): number | undefined {
    const passed: number[] = [];
    let found: number | undefined;
    for (let at = id; at !== 0; ) {
      if (this.#filledAbove.has(at)) {
        found = this.#filledAbove.get(at);
        break;
      }
      const { parent, filled } = this.get(at);
      if (filled) {
        found = at;
        break;
      }
      passed.push(at);
      at = parent;
    }
    if (this.#filledAbove.size > MOST_KEPT) this.#filledAbove.clear();
    for (const each of passed) this.#filledAbove.set(each, found);
    return found;
  }

  /** Nothing that was looked at holds any more. */
  forget(): void {
    this.#filledAbove.clear();
  }

  /** Something in it is to be written after all: it gets its attributes again, and so do those above it. */
  reopen(id: number): void {
    for (let at = id; at !== 0; ) {
      const { parent, status, attributes } = this.get(at);
      if (status !== DirectoryStatus.restored && status !== DirectoryStatus.failed) return;
      if (attributes) this.setStatus(at, DirectoryStatus.open);
      at = parent;
    }
  }

  /** Depth of the deepest that wait for their attributes; undefined when none does. */
  deepestOpen(): number | undefined {
    return this.#deepest.get<{ depth: number | null }>()?.depth ?? undefined;
  }

  /**
   * Those of a depth that wait for their attributes, those of one parent side by side. @param after the last one of the
   * page before
   */
  open(
    depth: number,
    after: { readonly parent: number; readonly id: number },
    limit: number,
  ): readonly DirectoryRecord[] {
    return this.#open.all<Row>(depth, after.parent, after.id, limit).map(decode);
  }

  /** It turned out to be none. */
  delete(id: number): void {
    this.#delete.run(id);
  }

  hasUnlisted(): boolean {
    return this.#unlisted.get() !== undefined;
  }

  /** Reads the root's directory again, of which not all could be read. */
  retryRoot(): void {
    this.#status.run(DirectoryStatus.found, ROOT_DIRECTORY);
  }
}

/** Stands for the handle of what is only a place any more: of a length that no id has. */
function placeId(id: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes.writeBigUInt64BE(BigInt(id), 1);
  return bytes;
}

function decode(row: Row): DirectoryRecord {
  const { id, parent, name, handle, depth, status, listed, partial, counted, filled, attributes } = row;
  return {
    id,
    parent,
    name,
    handle,
    depth,
    status,
    listed,
    partial: partial !== 0,
    counted: counted !== 0,
    filled: filled !== 0,
    attributes: attributes ?? undefined,
  };
}
