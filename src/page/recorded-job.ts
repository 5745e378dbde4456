import { ClfsError, messageOf } from '../error.js';
import { SCHEMA_VERSION as EXPORT_SCHEMA_VERSION } from '../export/state/schema.js';
import type { Database } from '../sqlite/database.js';
import { holdsExport } from '../state/application.js';
import { EntryPaths } from '../state/entry-path.js';
import type { JobPulse } from '../state/job-pulse.js';
import { readPulse, readSeries, type SeriesRow } from '../state/job-series.js';
import { SCHEMA_VERSION } from '../state/migrations.js';
import { openForLook } from '../state/open-for-look.js';
import { findDatabase, isStateHeld } from '../state/state-directory.js';
import { escapePath, escapeText } from '../text/escape-path.js';
import type { FoundFailures, PageFailure } from './model.js';
import type { RecordedJob } from './recorded.js';
import { EXPORT_STANDS, readExport } from './recorded-export.js';
import { LOAD_STANDS, readLoad } from './recorded-load.js';

/** What a look at a state directory has found. */
export interface LookedAt extends RecordedJob {
  readonly running: boolean;
  readonly rows: readonly SeriesRow[];
  readonly pulse: JobPulse | undefined;
  /** Paths of the directories of the pulse; one that is not recorded any more is left out. */
  readonly directories: readonly { readonly path: string; readonly entries: number; readonly bytes: number }[];
}

/** Tables of version 0.1.0 have failures of another form, and no past: they are brought up when the job goes on. */
const FIRST_VERSION = 2;
/** Versions of the tables that this program works with. */
const NEWEST = { load: SCHEMA_VERSION, export: EXPORT_SCHEMA_VERSION } as const;
/** Versions from which on the past is recorded. */
const WITH_PAST = { load: 5, export: 2 } as const;
const SEARCHED_ROWS = 20_000;
const FOUND_ROWS = 25;
/** Words of a search that count: each is looked for in each row. */
const MOST_WORDS = 16;
/** The condition by which a failure stands. */
const STANDS = { load: LOAD_STANDS, export: EXPORT_STANDS } as const;

/**
 * Looks at a job without disturbing it: the database is open for that long only.
 *
 * @throws ClfsError `state` when there is none, or it cannot be read
 */
export function lookAtJob(statePath: string): LookedAt {
  // Before the database is read: what a job that ends meanwhile records is seen then.
  const running = isStateHeld(statePath);
  return withJob(statePath, running, (db, kind, version) => {
    const recorded = kind === 'export' ? readExport(db, statePath) : readLoad(db, statePath);
    const hasPast = version >= WITH_PAST[kind];
    const pulse = hasPast ? readPulse(db) : undefined;
    const paths = new EntryPaths(db);
    const directories = (pulse?.census.directories ?? []).flatMap(({ id, entries, bytes }) => {
      const path = paths.directory(id);
      return path === undefined ? [] : [{ path: escapePath(path), entries, bytes }];
    });
    return { ...recorded, running, rows: hasPast ? readSeries(db) : [], pulse, directories };
  });
}

/**
 * Searches what failed: in path, reason and message, in any case, for all of the words.
 *
 * @param after what a search before said to go on from; 0 for the first
 * @throws ClfsError `state`
 */
export function searchFailures(statePath: string, words: string, after: number, limit = FOUND_ROWS): FoundFailures {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean).slice(0, MOST_WORDS);
  return withJob(statePath, isStateHeld(statePath), (db, kind) => {
    const paths = new EntryPaths(db);
    const statement = db.prepare(
      `SELECT id, directory, name, reason, message, attempts, time_ms AS timeMs FROM failure WHERE ${STANDS[kind]} AND id > ? ORDER BY id LIMIT ${SEARCHED_ROWS}`,
    );
    const rows: PageFailure[] = [];
    let seen = 0;
    let last = after;
    for (const row of statement.iterate(after) as IterableIterator<FailureRow>) {
      const { directory, name, reason, message, attempts, timeMs } = row;
      const path = escapePath(paths.entry(directory, name)) || '.';
      const failure = { path, reason, message: escapeText(message), attempts, timeMs };
      const text = `${path}\n${reason}\n${failure.message}`.toLowerCase();
      if (rows.length === limit) return { rows, next: last };
      seen++;
      last = row.id;
      if (wanted.every((word) => text.includes(word))) rows.push(failure);
    }
    return seen === SEARCHED_ROWS ? { rows, next: last } : { rows };
  });
}

interface FailureRow {
  readonly id: number;
  readonly directory: number;
  readonly name: Uint8Array;
  readonly reason: string;
  readonly message: string;
  readonly attempts: number;
  readonly timeMs: number;
}

function withJob<T>(
  statePath: string,
  running: boolean,
  use: (db: Database, kind: 'load' | 'export', version: number) => T,
): T {
  const path = findDatabase(statePath);
  const where = JSON.stringify(path);
  let db: Database | undefined;
  try {
    db = openForLook(path, running);
    const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number };
    if (version === 0) throw new ClfsError('state', `The job state ${where} holds no job yet.`);
    const kind = holdsExport(db) ? 'export' : 'load';
    if (kind === 'load' && version < FIRST_VERSION)
      throw new ClfsError('state', `The job state ${where} is of version 0.1.0. Go on with the job to look at it.`);
    if (version > NEWEST[kind])
      throw new ClfsError('state', `The job state ${where} is of a later version. Look at it by that one.`);
    return use(db, kind, version);
  } catch (error) {
    if (error instanceof ClfsError) throw error;
    throw new ClfsError('state', `Cannot read the job state ${where}: ${messageOf(error)}.`, { cause: error });
  } finally {
    db?.close();
  }
}
