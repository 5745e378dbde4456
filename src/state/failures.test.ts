import { describe, expect, it } from 'vitest';
import { openDatabase } from '../sqlite/database.js';
import { readFailureGroups } from './failure-groups.js';
import { Failures } from './failures.js';
import { createTables } from './schema.js';

describe('the number of failures', () => {
  it('counts a linked file once, and is 0 only when there is none', () => {
    const db = openDatabase(':memory:');
    createTables(db, () => undefined);
    const failures = new Failures(db);
    const put = (name: string, further: boolean) =>
      failures.put({
        directory: 1,
        name: Buffer.from(name),
        type: 1,
        reason: 'entry-unreadable',
        message: '',
        attempts: 1,
        timeMs: 0,
        further,
      });
    expect(failures.count()).toBe(0);
    put('a', false);
    put('b', true);
    put('c', true);
    expect(failures.count()).toBe(1);
    put('d', false);
    expect(failures.count()).toBe(2);
    expect(readFailureGroups(db, '1', 'further = 0')).toMatchObject([
      { reason: 'entry-unreadable', entries: 2, names: 4 },
    ]);
    for (const { id, name } of failures.list(0, 10)) if (/[ad]/.test(Buffer.from(name).toString())) failures.remove(id);
    // The names that are left are failures, whatever the one that counted for them has become.
    expect(failures.count()).toBe(1);
    for (const { id } of failures.list(0, 10)) failures.remove(id);
    expect(failures.count()).toBe(0);
    db.close();
  });
});
