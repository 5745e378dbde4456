import { BitSet } from '../books/bit-set.js';
import { RangeSet } from '../books/range-set.js';
import type { Database } from '../sqlite/database.js';
import { SERIES_TABLES } from './job-series.js';

/** Version of the tables that this program works with. A newer state is refused; an older one is brought up. */
export const SCHEMA_VERSION = 6;

/**
 * Brings the tables of an older program up to the present version, each step in a transaction of its own: after a crash
 * the next start goes on with the step that did not end.
 */
export function migrate(database: Database): void {
  migrateBy(STEPS, database);
}

/** The same by steps of other tables. @param steps what brings a state of a version to the next one */
export function migrateBy(steps: ReadonlyMap<number, (database: Database) => void>, database: Database): void {
  for (;;) {
    const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number };
    const step = steps.get(version);
    if (!step) return;
    database.exec('BEGIN IMMEDIATE');
    try {
      step(database);
      database.exec(`PRAGMA user_version = ${version + 1}; COMMIT;`);
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  }
}

/** What brings a state of a version to the next one. */
const STEPS: ReadonlyMap<number, (database: Database) => void> = new Map([
  [1, fromVersion1],
  [2, fromVersion2],
  [3, fromVersion3],
  [4, fromVersion4],
  [5, fromVersion5],
]);

/**
 * From the state of 0.1.0: what may have been claimed when a session ended counts as claimed (`running`, `writing`), so
 * that it is given up as a lost try. There were no tallies: the record says so by lacking `books`. Failed groups and
 * directories lived on as rows; now a failure is a name that is looked at anew. Left-overs of that program may name
 * live objects: they are of kind `old`.
 */
function fromVersion1(database: Database): void {
  database.exec(`
ALTER TABLE job ADD COLUMN tally BLOB;

ALTER TABLE directory ADD COLUMN look INTEGER NOT NULL DEFAULT 0;
ALTER TABLE directory ADD COLUMN tally BLOB;
CREATE INDEX directory_look ON directory (id) WHERE look = 1;
DELETE FROM directory WHERE status IN (6, 7);
UPDATE directory SET revision = -1 WHERE written_revision IS NULL AND (status IN (0, 1, 2) OR id = 1);
UPDATE directory SET status = 4 WHERE status = 3 AND id <> 1;

DROP INDEX chunk_pending;
DROP INDEX chunk_directory;
ALTER TABLE chunk RENAME TO chunk_1;
CREATE TABLE chunk (id INTEGER PRIMARY KEY, directory INTEGER NOT NULL, first_sequence INTEGER NOT NULL, count INTEGER NOT NULL, entries BLOB NOT NULL,
  status INTEGER NOT NULL, attempts INTEGER NOT NULL, acknowledged BLOB, left_out BLOB) STRICT;
INSERT INTO chunk SELECT id, directory, first_sequence, count, entries, CASE WHEN suspect = 1 AND status = 0 THEN 1 ELSE status END, 0, NULL, excluded
  FROM chunk_1 WHERE status <> 4;
DROP TABLE chunk_1;
CREATE INDEX chunk_directory ON chunk (directory);
CREATE INDEX chunk_pending ON chunk (id) WHERE status = 0;

INSERT INTO failure (kind, directory, name, type, link_group, reason, message, attempts, time_ms, retrying)
  SELECT 'further', link.directory, link.name, f.type, NULL, f.reason, f.message, f.attempts, f.time_ms, f.retrying
  FROM failure f JOIN link_group g ON g.id = f.link_group JOIN link ON link.link_group = g.id
  WHERE f.kind = 'group' AND g.status = 3 AND link.status <> 1 AND NOT (link.directory = f.directory AND link.name = f.name)
  ON CONFLICT DO NOTHING;
DELETE FROM link WHERE status = 1 OR link_group IN (SELECT id FROM link_group WHERE status = 3);

ALTER TABLE leftover RENAME TO leftover_1;
CREATE TABLE leftover (id INTEGER PRIMARY KEY, handle BLOB, version INTEGER, sequence INTEGER, generation INTEGER, segments INTEGER,
  indirect_blocks INTEGER, kind TEXT NOT NULL, link_group INTEGER, directory INTEGER, name TEXT, refused TEXT) STRICT;
INSERT INTO leftover SELECT id, owner, NULL, sequence, generation, blocks - 1, blocks, 'old', NULL, NULL, name, NULL FROM leftover_1;
DROP TABLE leftover_1;

DROP INDEX link_group_identity;
DROP INDEX link_group_pending;
ALTER TABLE link_group RENAME TO link_group_1;
CREATE TABLE link_group (id INTEGER PRIMARY KEY, file_system INTEGER NOT NULL, inode BLOB NOT NULL, copy INTEGER NOT NULL, type INTEGER NOT NULL,
  status INTEGER NOT NULL, attempts INTEGER NOT NULL, sequence INTEGER NOT NULL, manager INTEGER NOT NULL, revision INTEGER NOT NULL,
  written_name TEXT, written_generation INTEGER, written_blocks INTEGER, tally BLOB) STRICT;
INSERT INTO link_group SELECT id, file_system, inode, copy, type, CASE WHEN suspect = 1 AND status = 0 THEN 1 ELSE status END, 0, sequence, manager,
  CASE WHEN sequence = 0 THEN -1 ELSE max(revision, generation) END,
  CASE WHEN written_revision IS NULL THEN NULL ELSE 'revision ' || written_revision END, written_generation, written_blocks, NULL
  FROM link_group_1 WHERE status <> 3;
DROP TABLE link_group_1;
CREATE UNIQUE INDEX link_group_identity ON link_group (file_system, inode, copy);
CREATE INDEX link_group_pending ON link_group (id) WHERE status = 0;

ALTER TABLE large ADD COLUMN tally BLOB;
UPDATE large SET bound_blocks = max(blocks - 1, 0);

ALTER TABLE failure RENAME TO failure_1;
DROP INDEX failure_entry;
CREATE TABLE failure (id INTEGER PRIMARY KEY, directory INTEGER NOT NULL, name BLOB NOT NULL, type INTEGER NOT NULL, reason TEXT NOT NULL,
  message TEXT NOT NULL, attempts INTEGER NOT NULL, time_ms INTEGER NOT NULL, phase INTEGER NOT NULL, further INTEGER NOT NULL) STRICT;
INSERT INTO failure SELECT id, directory, name, type, reason, message, attempts, time_ms,
  CASE WHEN retrying = 1 THEN 2 ELSE 0 END, CASE WHEN kind = 'further' THEN 1 ELSE 0 END FROM failure_1;
DROP TABLE failure_1;
CREATE UNIQUE INDEX failure_entry ON failure (directory, name);

CREATE TABLE root_seal (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL, blocks INTEGER NOT NULL,
  tally BLOB NOT NULL) STRICT;
`);
  // What was left out of a chunk was a list of 16-bit numbers; it is a set of bits.
  const set = database.prepare('UPDATE chunk SET left_out = ? WHERE id = ?');
  const rows = database.prepare('SELECT id, count, left_out FROM chunk WHERE left_out IS NOT NULL').all();
  for (const { id, count, left_out: list } of rows as { id: number; count: number; left_out: Uint8Array }[]) {
    const bits = new BitSet(count);
    for (let at = 0; at < list.length; at += 2) bits.add(list[at] | (list[at + 1] << 8));
    set.run(bits.bytes, id);
  }
}

/**
 * Of a large file the unbroken beginning was recorded, now it is any blocks; and of a linked inode how many bytes it
 * counts for.
 */
function fromVersion2(database: Database): void {
  database.exec('ALTER TABLE link_group ADD COLUMN written_bytes INTEGER; ALTER TABLE large ADD COLUMN done BLOB');
  const setDone = database.prepare('UPDATE large SET done = ? WHERE id = ?');
  const files = database.prepare('SELECT id, done_blocks AS done FROM large WHERE done_blocks > 0').all();
  for (const { id, done } of files as { id: number; done: number }[]) setDone.run(RangeSet.of(1, done).encode(), id);
  database.exec('ALTER TABLE large DROP COLUMN done_blocks');
}

/** A directory is told from another one of its inode number by when it was made, too. */
function fromVersion3(database: Database): void {
  database.exec(`
ALTER TABLE directory ADD COLUMN born BLOB NOT NULL DEFAULT x'0000000000000000';
DROP INDEX directory_identity;
CREATE UNIQUE INDEX directory_identity ON directory (file_system, inode, born) WHERE inode <> x'0000000000000000';
`);
}

/** The job's past, which the page shows; of an older one nothing is known. */
function fromVersion4(database: Database): void {
  database.exec(SERIES_TABLES);
}

/**
 * The books have the objects of the entries of each directory apart. Of what was put before that is not known: so the job
 * has no books any more, as if 0.1.0 had begun it.
 */
function fromVersion5(database: Database): void {
  database.exec(`
ALTER TABLE directory ADD COLUMN entry_tally BLOB;
UPDATE job SET record = json_set(record, '$.books', json('false'));
`);
}
