import type { Database } from '../sqlite/database.js';
import { Statement } from '../sqlite/database.js';

/** Whose try it was. */
export type LeftoverOwner =
  | { readonly kind: 'entry'; readonly directory: number }
  | { readonly kind: 'directory'; readonly directory: number }
  /** `directory` is that of the link which owned the inode's name. */
  | { readonly kind: 'group'; readonly group: number; readonly directory: number };

/**
 * The names that one try of one inode may have used: a range of the rule by which names are made, see `load/tries.ts`.
 */
export interface Leftover {
  readonly handle: Uint8Array;
  readonly sequence: number;
  /** Of the inode's name; undefined when the inode itself was never put. */
  readonly version: number | undefined;
  /** Of the segments' ids. */
  readonly generation: number;
  /** Segments 1 … this may be there. */
  readonly segments: number;
  /** Indirect blocks of an inode of up to so many blocks may be there; 0 for none. */
  readonly indirectBlocks: number;
  readonly owner: LeftoverOwner;
}

/** A left-over that version 0.1.0 recorded: one name, or the segments of a handle. It may name what counts. */
export interface OldLeftover {
  readonly name: string | undefined;
  readonly handle: Uint8Array | undefined;
  readonly sequence: number;
  readonly generation: number;
  readonly segments: number;
  readonly indirectBlocks: number;
}

export type RecordedLeftover = { readonly id: number } & (
  | { readonly old: false; readonly leftover: Leftover }
  | { readonly old: true; readonly leftover: OldLeftover }
);

interface Row {
  id: number;
  handle: Uint8Array | null;
  version: number | null;
  sequence: number | null;
  generation: number | null;
  segments: number | null;
  indirect_blocks: number | null;
  kind: string;
  link_group: number | null;
  directory: number | null;
  name: string | null;
  refused: string | null;
}

/** The left-overs of a job, oldest first. */
export class Leftovers {
  readonly #insert: Statement;
  readonly #list: Statement;
  readonly #delete: Statement;
  readonly #refuse: Statement;
  readonly #refused: Statement;

  constructor(db: Database) {
    this.#insert = new Statement(
      db,
      `INSERT INTO leftover (handle, version, sequence, generation, segments, indirect_blocks, kind, link_group, directory) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#list = new Statement(db, 'SELECT * FROM leftover WHERE id > ? AND refused IS NULL ORDER BY id LIMIT ?');
    this.#delete = new Statement(db, 'DELETE FROM leftover WHERE id = ?');
    this.#refuse = new Statement(db, 'UPDATE leftover SET refused = ? WHERE id = ?');
    this.#refused = new Statement(db, 'SELECT refused FROM leftover WHERE refused IS NOT NULL ORDER BY id LIMIT ?');
  }

  add({ handle, version, sequence, generation, segments, indirectBlocks, owner }: Leftover): void {
    const group = owner.kind === 'group' ? owner.group : null;
    this.#insert.run(
      handle,
      version ?? null,
      sequence,
      generation,
      segments,
      indirectBlocks,
      owner.kind,
      group,
      owner.directory,
    );
  }

  list(afterId: number, limit: number): readonly RecordedLeftover[] {
    return this.#list.all<Row>(afterId, limit).map(decode);
  }

  hasAny(): boolean {
    return this.#list.get(0, 1) !== undefined;
  }

  drop(id: number): void {
    this.#delete.run(id);
  }

  /** It is never removed: something that counts would be lost. */
  refuse(id: number, reason: string): void {
    this.#refuse.run(reason, id);
  }

  /** Reasons of those that were refused. */
  refused(limit: number): readonly string[] {
    return this.#refused.all<{ refused: string }>(limit).map((row) => row.refused);
  }
}

function decode(row: Row): RecordedLeftover {
  const { id, kind } = row;
  const common = {
    sequence: row.sequence ?? 0,
    generation: row.generation ?? 0,
    segments: row.segments ?? 0,
    indirectBlocks: row.indirect_blocks ?? 0,
  };
  if (kind === 'old') {
    return { id, old: true, leftover: { ...common, name: row.name ?? undefined, handle: row.handle ?? undefined } };
  }
  const directory = row.directory ?? 0;
  const owner: LeftoverOwner =
    kind === 'group'
      ? { kind, group: row.link_group ?? 0, directory }
      : { kind: kind === 'entry' ? 'entry' : 'directory', directory };
  const leftover = { ...common, handle: row.handle ?? new Uint8Array(0), version: row.version ?? undefined, owner };
  return { id, old: false, leftover };
}
