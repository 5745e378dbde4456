import type { Database } from '../../sqlite/database.js';
import { EXPORT_APPLICATION } from '../../state/application.js';
import { checkDatabase } from '../../state/job-database.js';
import { SERIES_TABLES } from '../../state/job-series.js';
import { migrateBy } from '../../state/migrations.js';
import { beginAnewText } from '../temporary-names.js';

/** Version of the tables that this program works with. */
export const SCHEMA_VERSION = 6;

/** Life of a directory. */
export const DirectoryStatus = {
  /** To be read. */
  found: 0,
  listing: 1,
  /** It has its entries, and waits for its attributes. */
  open: 2,
  restored: 3,
  /** It could not be read or made, or did not take its attributes; see its failure. */
  failed: 4,
  /** It was there before, and gets no attributes: the directory that one file is written to. */
  given: 5,
  /** It was in the tree before the export began anew, and has not been found again. */
  former: 6,
} as const;

/** Life of a chunk, of a group of links and of a large file. */
export const WorkStatus = {
  pending: 0,
  running: 1,
  /** Of a group: every name that is known has been dealt with. */ done: 2,
} as const;

/** Life of a failure. */
export const FailurePhase = {
  failed: 0,
  /** Its entry is tried again. */
  underWay: 1,
} as const;

/** The directory that is exported, or the one that a file goes to. */
export const ROOT_DIRECTORY = 1;
export const ROOT_DEPTH = 0;

/** Of a directory. */
const FILLED = 'filled INTEGER NOT NULL DEFAULT 0';
const LINK_GROUP = `
CREATE TABLE link_group (id INTEGER PRIMARY KEY AUTOINCREMENT, handle BLOB NOT NULL, status INTEGER NOT NULL, origin_directory INTEGER,
  origin_name BLOB, origin_inode TEXT) STRICT;
CREATE UNIQUE INDEX link_group_handle ON link_group (handle);
CREATE INDEX link_group_pending ON link_group (id) WHERE status = ${WorkStatus.pending};
`;
const LEFTOVER = 'CREATE TABLE leftover (directory INTEGER PRIMARY KEY) STRICT;';

/**
 * The tables. Numbers of directories, large files and groups of links are never given again: temporary names and what is
 * kept at hand go by them.
 *
 * job        one row: what is the same from first to last, as JSON, and the counters
 * directory  a row a directory that was entered, to the end of the job; `listed`: entries that have been taken from it, in the container's order;
 *            `partial`: its entries could not all be read; `counted`: it counts as written;
 *            `filled`: something in it, or below it, is recorded as done
 * chunk      entries of one directory that go to a lane together; gone when all of them are settled
 * link_group a file with several names, `origin_…` one that was written whole; `link` its names that are to be dealt with
 * large      a file that is written in parts; `inode` of the temporary file (null: there is none), `done` its ranges
 * leftover   a directory in which tries that were given up may have left temporary files
 * failure    an entry that failed, in the latest attempt; without a handle when it is the name that is wrong, which no attempt mends
 * series     the job's past, and `pulse` where it stood last: for people
 */
const TABLES = `
CREATE TABLE job (id INTEGER PRIMARY KEY CHECK (id = 1), record TEXT NOT NULL, written INTEGER NOT NULL, replaced INTEGER NOT NULL,
  kept INTEGER NOT NULL, excluded INTEGER NOT NULL, bytes INTEGER NOT NULL, alive_ms INTEGER NOT NULL) STRICT;
CREATE TABLE directory (id INTEGER PRIMARY KEY AUTOINCREMENT, parent INTEGER NOT NULL, name BLOB NOT NULL, handle BLOB NOT NULL, depth INTEGER NOT NULL,
  status INTEGER NOT NULL, listed INTEGER NOT NULL, partial INTEGER NOT NULL, counted INTEGER NOT NULL, attributes BLOB, ${FILLED}) STRICT;
CREATE UNIQUE INDEX directory_handle ON directory (handle);
CREATE INDEX directory_found ON directory (id) WHERE status = ${DirectoryStatus.found};
CREATE INDEX directory_open ON directory (depth, parent) WHERE status = ${DirectoryStatus.open};
CREATE TABLE chunk (id INTEGER PRIMARY KEY, directory INTEGER NOT NULL, count INTEGER NOT NULL, entries BLOB NOT NULL, status INTEGER NOT NULL,
  settled BLOB) STRICT;
CREATE INDEX chunk_pending ON chunk (id) WHERE status = ${WorkStatus.pending};
${LINK_GROUP}
CREATE TABLE link (id INTEGER PRIMARY KEY, link_group INTEGER NOT NULL, directory INTEGER NOT NULL, name BLOB NOT NULL) STRICT;
CREATE INDEX link_of_group ON link (link_group);
CREATE TABLE large (id INTEGER PRIMARY KEY AUTOINCREMENT, link_group INTEGER, directory INTEGER NOT NULL, name BLOB NOT NULL, handle BLOB NOT NULL,
  size INTEGER NOT NULL, blocks INTEGER NOT NULL, inode TEXT, done TEXT NOT NULL) STRICT;
CREATE TABLE failure (id INTEGER PRIMARY KEY, directory INTEGER NOT NULL, name BLOB NOT NULL, handle BLOB NOT NULL, reason TEXT NOT NULL,
  message TEXT NOT NULL, attempts INTEGER NOT NULL, time_ms INTEGER NOT NULL, phase INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX failure_entry ON failure (directory, name, handle);
${SERIES_TABLES}${LEFTOVER}`;

/** Makes the tables in an empty database, and what `fill` puts into them: all of it or, after a crash, nothing. */
export function createTables(database: Database, fill: () => void): void {
  database.exec(`BEGIN; ${TABLES}`);
  fill();
  database.exec(`PRAGMA application_id = ${EXPORT_APPLICATION}; PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT;`);
}

/**
 * @param running whether another process works on the job
 * @throws ClfsError `state` when the tables are missing, damaged, of a later version, or those of a load
 */
export function checkTables(database: Database, path: string, running = false): void {
  const wayOut = `If there is no copy of it, ${beginAnewText(undefined, 'its directory')}`;
  checkDatabase(database, path, { kind: 'export', version: SCHEMA_VERSION, wayOut, running });
}

/** Brings the tables of an older program up to the present version. */
export function migrate(database: Database): void {
  migrateBy(STEPS, database);
}

/**
 * What brings a state of a version to the next one. From 1: the job's past, of which nothing was known; from 2: what workers
 * may have left, before there were any; from 3: directories that must be there; from 4: versions of directories; from 5:
 * none of these, and numbers of groups that are never given again. No listing of the container is recorded in any of them,
 * so that an export of a tree begins anew in any case.
 */
const STEPS: ReadonlyMap<number, (database: Database) => void> = new Map([
  [1, (database: Database) => database.exec(SERIES_TABLES)],
  [2, (database: Database) => database.exec(LEFTOVER)],
  [3, (database: Database) => database.exec(`ALTER TABLE directory ADD COLUMN ${FILLED}`)],
  [4, (database: Database) => database.exec('ALTER TABLE directory ADD COLUMN version REAL')],
  [
    5,
    (database: Database) =>
      database.exec(`ALTER TABLE directory DROP COLUMN version;
        ALTER TABLE link_group RENAME TO former_group;
        DROP INDEX link_group_handle;
        DROP INDEX link_group_pending;
        ${LINK_GROUP}
        INSERT INTO link_group SELECT * FROM former_group;
        DROP TABLE former_group;`),
  ],
]);
