import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { unpackOldState } from '../../test/support/old-state.js';
import { openDatabase } from '../sqlite/database.js';
import { migrate } from './migrations.js';
import { readJob } from './read-job.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-read-job-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

describe('a look at the state of version 0.1.0', () => {
  it.each(['mid-transfer', 'with-errors', 'repair-begun', 'beside-files', 'suspect'])(
    'sees what it sees when this version has brought the state up: %s',
    (name) => {
      const place = join(base, name);
      unpackOldState(name, place);
      const db = openDatabase(join(place, 'state', 'job.db'));
      // Of a failed linked file the tables of that version name one path, those of this one all.
      const look = () => {
        const { failureGroups, ...job } = readJob(db, place);
        const named = failureGroups.map(({ reason, entries, first }) => [reason, entries, first[0]]);
        return { ...job, named };
      };
      const before = look();
      migrate(db);
      expect(look()).toEqual(before);
      expect(before.done).toBeGreaterThan(0);
      db.close();
    },
  );
});
