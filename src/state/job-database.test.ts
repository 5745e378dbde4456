import { expect, it } from 'vitest';
import { openDatabase } from '../sqlite/database.js';
import { configure } from './job-database.js';

it('a commit by a journal syncs its removal too', () => {
  const levels = (['WAL', 'DELETE'] as const).map((journal) => {
    const db = openDatabase(':memory:');
    configure(db, journal);
    const { synchronous } = db.prepare('PRAGMA synchronous').get() as { synchronous: number };
    db.close();
    return synchronous;
  });
  // FULL and EXTRA.
  expect(levels).toEqual([2, 3]);
});
