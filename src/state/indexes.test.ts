import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { emptyState } from '../../test/support/empty-state.js';
import type { Database } from '../sqlite/database.js';
import { Chunks } from './chunks.js';
import { Directories } from './directories.js';
import { DirectoryStatus } from './schema.js';

let db: Database;
beforeEach(() => {
  db = emptyState();
});
afterEach(() => db.close());

/** A database that notes what is asked of it. */
function noting(said: Set<string>): Database {
  return new Proxy(db, {
    get(target, key) {
      if (key !== 'prepare') return Reflect.get(target, key) as unknown;
      return (sql: string) => {
        said.add(sql);
        return target.prepare(sql);
      };
    },
  });
}

/** The steps of a statement that go through a whole table. */
function scansOf(sql: string): readonly string[] {
  const numbers = [...sql.matchAll(/\?(\d*)/g)].map(([, number], at) => Number(number || at + 1));
  const values = new Array(Math.max(0, ...numbers)).fill(0) as number[];
  const steps = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...values) as unknown as readonly { detail: string }[];
  // An index of what waits has few rows.
  return steps.map(({ detail }) => detail).filter((detail) => /^SCAN (?!CONSTANT ROW|.*_pending$)/.test(detail));
}

describe('what is asked for each directory', () => {
  it('goes through none of the tables, of which a tree may have millions of rows', () => {
    const said = new Set<string>();
    const directories = new Directories(noting(said));
    const place = { parent: 1, name: new Uint8Array([97]), fileSystem: 0, sequence: 1001, manager: 0 };
    const id = directories.add({ ...place, inode: 7n, bornNs: 5n, status: DirectoryStatus.found }) ?? 0;
    expect(directories.withIdentity(0, { inode: 7n, bornNs: 5n })).toBe(id);
    expect(directories.identify(id, 0, { inode: 8n, bornNs: 0n })).toBe(true);
    expect(directories.child(1, place.name)).toBe(id);
    directories.children(1, 0, 10);
    directories.countChildren(1);
    directories.contentBytes(id);
    directories.delete(id);
    expect(said.size).toBeGreaterThan(7);
    expect([...said].filter((sql) => scansOf(sql).length > 0)).toEqual([]);
  });

  it('goes through no chunks but those that wait', () => {
    const said = new Set<string>();
    const chunks = new Chunks(noting(said));
    const id = chunks.add({ directory: 1, firstSequence: 1001, count: 2, entries: Buffer.alloc(9) }, true);
    chunks.reveal(1);
    expect(chunks.backlogEntries()).toBe(2);
    chunks.claim(8);
    chunks.finish(id, undefined);
    expect(chunks.hasRows(1)).toBe(true);
    expect(chunks.ofDirectory(1, 0, 10)).toHaveLength(1);
    chunks.drop(1);
    expect(said.size).toBeGreaterThan(7);
    expect([...said].filter((sql) => scansOf(sql).length > 0)).toEqual([]);
  });
});
