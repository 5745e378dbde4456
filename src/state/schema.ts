import type { Database } from '../sqlite/database.js';
import { checkDatabase } from './job-database.js';
import { SERIES_TABLES } from './job-series.js';
import { SCHEMA_VERSION } from './migrations.js';

/** Life of a directory. */
export const DirectoryStatus = {
  /** To be listed. */
  found: 0,
  listing: 1,
  /** Listed; something in it is not done yet. */
  waiting: 2,
  /** Everything in it is done or failed: its object can be written. */
  ready: 3,
  /** Claimed for writing under its present revision. */
  writing: 4,
  written: 5,
  /**
   * Given up, since it is not in its place any more: nothing of it counts for its parent, and what is below it is being
   * taken off.
   */
  leaving: 6,
  /** Part of a listing that is not complete. */
  hidden: 7,
} as const;

/** Whether failed entries of a directory are to be looked at again. */
export const LookStatus = { none: 0, wanted: 1, running: 2 } as const;

/** Life of a chunk and of a group of links. */
export const WorkStatus = {
  pending: 0,
  /** Claimed: its names may be used by puts. */
  running: 1,
  done: 2,
  /** Part of a listing that is not complete. */
  hidden: 4,
} as const;

/** Life of a name of a linked file. */
export const LinkStatus = {
  found: 0,
  /** Part of a listing that is not complete. */
  hidden: 1,
  /** In the inode's back pointers. */
  written: 2,
  /** Still in the inode's back pointers, and no name any more: its directory was given up. */
  dropped: 3,
} as const;

/** Life of a failure. */
export const FailurePhase = {
  failed: 0,
  /** Its entry is to be looked at again. */
  wanted: 1,
  /** Its entry was looked at again, and what was found is being loaded. */
  underWay: 2,
} as const;

/**
 * The tables. 64-bit unsigned numbers are blobs of 8 bytes: SQLite's integers end at 2^63-1. A `tally` is
 * `Tally.encode`'s.
 *
 * job         one row: what is the same from first to last, as JSON, the counters, and the tally of what counts
 * file_system a number for each device that was met
 * directory   a row a directory, from found to the end of the job; `revision` is the last one that was claimed, -1 for none;
 *             `tally` is of its own objects, `entry_tally` of those of its entries, directories and linked inodes apart
 * chunk       entries of one directory that go to a lane together; gone when the directory is written
 * link_group  a file with several links, and `link` each of its names; `revision` as for directories
 * large       a file of many segments while it is loaded; `done` is `RangeSet.encode`'s
 * failure     an entry that failed, in the latest attempt
 * leftover    names that a lost or superseded try may have used: to be removed before the job commits
 * root_seal   the root's inode, ready to be put: the commit point
 * series      the job's past, and `pulse` where it stood last: for people
 */
const TABLES = `
CREATE TABLE job (id INTEGER PRIMARY KEY CHECK (id = 1), record TEXT NOT NULL, next_sequence INTEGER NOT NULL, next_manager INTEGER NOT NULL,
  done INTEGER NOT NULL, bytes INTEGER NOT NULL, excluded INTEGER NOT NULL, alive_ms INTEGER NOT NULL, tally BLOB) STRICT;
CREATE TABLE file_system (number INTEGER PRIMARY KEY, device TEXT NOT NULL) STRICT;
CREATE TABLE directory (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL, name BLOB NOT NULL, file_system INTEGER NOT NULL, inode BLOB NOT NULL,
  born BLOB NOT NULL DEFAULT x'0000000000000000', sequence INTEGER NOT NULL, manager INTEGER NOT NULL, status INTEGER NOT NULL, pending INTEGER NOT NULL, links INTEGER NOT NULL,
  revision INTEGER NOT NULL, attributes BLOB, written_revision INTEGER, written_blocks INTEGER, look INTEGER NOT NULL DEFAULT 0, tally BLOB, entry_tally BLOB) STRICT;
CREATE UNIQUE INDEX directory_identity ON directory (file_system, inode, born) WHERE inode <> x'0000000000000000';
CREATE INDEX directory_parent ON directory (parent);
CREATE INDEX directory_found ON directory (id) WHERE status = 0;
CREATE INDEX directory_ready ON directory (id) WHERE status = 3;
CREATE INDEX directory_look ON directory (id) WHERE look = 1;
CREATE TABLE chunk (id INTEGER PRIMARY KEY, directory INTEGER NOT NULL, first_sequence INTEGER NOT NULL, count INTEGER NOT NULL, entries BLOB NOT NULL,
  status INTEGER NOT NULL, attempts INTEGER NOT NULL, acknowledged BLOB, left_out BLOB) STRICT;
CREATE INDEX chunk_directory ON chunk (directory);
CREATE INDEX chunk_pending ON chunk (id) WHERE status = 0;
CREATE TABLE link_group (id INTEGER PRIMARY KEY, file_system INTEGER NOT NULL, inode BLOB NOT NULL, copy INTEGER NOT NULL, type INTEGER NOT NULL,
  status INTEGER NOT NULL, attempts INTEGER NOT NULL, sequence INTEGER NOT NULL, manager INTEGER NOT NULL, revision INTEGER NOT NULL,
  written_name TEXT, written_generation INTEGER, written_blocks INTEGER, written_bytes INTEGER, tally BLOB) STRICT;
CREATE UNIQUE INDEX link_group_identity ON link_group (file_system, inode, copy);
CREATE INDEX link_group_pending ON link_group (id) WHERE status = 0;
CREATE TABLE link (id INTEGER PRIMARY KEY, link_group INTEGER NOT NULL, directory INTEGER NOT NULL, name BLOB NOT NULL, status INTEGER NOT NULL) STRICT;
CREATE INDEX link_of_group ON link (link_group);
CREATE INDEX link_of_directory ON link (directory);
CREATE TABLE large (id INTEGER PRIMARY KEY, chunk INTEGER, entry INTEGER, link_group INTEGER, directory INTEGER NOT NULL, source_name BLOB NOT NULL,
  sequence INTEGER NOT NULL, generation INTEGER NOT NULL, attempts INTEGER NOT NULL, attributes BLOB NOT NULL, blocks INTEGER NOT NULL,
  bound_blocks INTEGER NOT NULL, done BLOB, tally BLOB) STRICT;
CREATE TABLE failure (id INTEGER PRIMARY KEY, directory INTEGER NOT NULL, name BLOB NOT NULL, type INTEGER NOT NULL, reason TEXT NOT NULL,
  message TEXT NOT NULL, attempts INTEGER NOT NULL, time_ms INTEGER NOT NULL, phase INTEGER NOT NULL, further INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX failure_entry ON failure (directory, name);
CREATE TABLE leftover (id INTEGER PRIMARY KEY, handle BLOB, version INTEGER, sequence INTEGER, generation INTEGER, segments INTEGER,
  indirect_blocks INTEGER, kind TEXT NOT NULL, link_group INTEGER, directory INTEGER, name TEXT, refused TEXT) STRICT;
CREATE TABLE root_seal (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL, blocks INTEGER NOT NULL,
  tally BLOB NOT NULL) STRICT;
${SERIES_TABLES}`;

/** Makes the tables in an empty database, and what `fill` puts into them: all of it or, after a crash, nothing. */
export function createTables(database: Database, fill: () => void): void {
  database.exec(`BEGIN; ${TABLES}`);
  fill();
  database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT;`);
}

/** Whether a database holds a job: not so when a process died while it made one. */
export function holdsJob(database: Database): boolean {
  return (database.prepare('PRAGMA user_version').get() as { user_version: number }).user_version !== 0;
}

/**
 * @param running whether another process works on the job
 * @throws ClfsError `state` when the tables are missing, damaged, of a later version, or those of an export
 */
export function checkTables(database: Database, path: string, running = false): void {
  const wayOut = 'Start a new job with another --state-path and an empty container.';
  checkDatabase(database, path, { kind: 'load', version: SCHEMA_VERSION, wayOut, running });
}
