import { type Database, openDatabase } from '../../src/sqlite/database.js';
import type { JobRecord } from '../../src/state/job-record.js';
import { createTables } from '../../src/state/schema.js';

/** A database in memory with the tables of a load, and nothing in them. To be closed. */
export function emptyState(): Database {
  const db = openDatabase(':memory:');
  createTables(db, () => undefined);
  return db;
}

/** The record of a job that has begun. */
export const RECORD: JobRecord = {
  program: 'test',
  spec: {
    kind: 'load',
    sourceHex: '2f',
    container: '/c',
    compression: 'LZ4',
    preserveHardLinks: false,
    selection: { excludePaths: [], excludePatterns: [], oneFileSystem: false },
  },
  settings: {},
  bucketUuid: '',
  manifestBytes: undefined,
  repaired: false,
  sessionStart: { ms: 0, done: 0, bytes: 0 },
  containerId: 1,
  fsid: 1,
  secretHex: '',
  massUuid: '',
  wipeEpoch: '',
  jobId: '',
  begun: true,
  readsBack: true,
  committing: false,
  committed: false,
  finalStatus: '',
  permille: 0,
  sessions: 1,
  settled: true,
  logNames: [],
  formerLogNames: [],
  encoder: '',
  books: true,
  notChecked: '',
};
