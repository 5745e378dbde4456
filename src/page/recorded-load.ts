import { join, resolve } from 'node:path';
import { sourcePath } from '../job/load-spec.js';
import type { Phase } from '../load/progress.js';
import { selectionText } from '../source/selection.js';
import type { Database } from '../sqlite/database.js';
import { readFailureGroups } from '../state/failure-groups.js';
import { COUNTED_FAILURES } from '../state/failures.js';
import { decodeRecord, type JobRecord } from '../state/job-record.js';
import { recordedShare } from '../state/recorded-share.js';
import { FailurePhase } from '../state/schema.js';
import { escapePath, escapeText } from '../text/escape-path.js';
import type { RecordedJob } from './recorded.js';

const PHASES: readonly Phase[] = ['Init', 'Transfer', 'Reconcile', 'Cleanup', 'Finalize', 'Done'];

/** The condition by which a failure of a load stands. */
export const LOAD_STANDS = `phase <> ${FailurePhase.underWay}`;

/** Reads what is recorded of a load, in tables of version 2 or later. */
export function readLoad(db: Database, statePath: string): RecordedJob {
  const row = db.prepare('SELECT record, done, bytes, excluded, alive_ms AS aliveMs FROM job').get() as {
    record: string;
    done: number;
    bytes: number;
    excluded: number;
    aliveMs: number;
  };
  const record = decodeRecord(row.record);
  const { spec, settings, finalStatus, sessions, sessionStart, unheld = [] } = record;
  const finished = record.committed && finalStatus === 'Completed';
  const { n: failed } = db.prepare(COUNTED_FAILURES).get() as { n: number };
  const { logDirectory } = settings;
  return {
    job: {
      kind: 'load',
      title: 'Load',
      id: record.jobId,
      from: escapePath(sourcePath(spec)),
      to: escapeText(spec.container),
      settings: settingsOf(record),
      phases: PHASES,
      unit: 'entries',
    },
    finished,
    finalStatus,
    session: sessions,
    sessionStartMs: sessionStart.ms === 0 ? undefined : sessionStart.ms,
    aliveMs: row.aliveMs,
    permille: recordedShare({ finished, finalStatus, permille: record.permille, done: row.done, failed }),
    done: row.done,
    bytes: row.bytes,
    excluded: row.excluded,
    failed,
    sized: record.sized,
    further: [],
    sourceCalls: record.sourceCalls,
    listing: listingOf(record),
    notes: unheld.map(escapeText),
    groups: readFailureGroups(db, LOAD_STANDS, 'further = 0'),
    listed: (db.prepare(`SELECT count(*) AS n FROM failure WHERE ${LOAD_STANDS}`).get() as { n: number }).n,
    logFile:
      logDirectory === undefined ? join(statePath, 'clfsload.log') : join(resolve(logDirectory), `${record.jobId}.log`),
  };
}

function settingsOf({ spec, settings }: JobRecord): RecordedJob['job']['settings'] {
  const selection = selectionText(spec.selection);
  const { capMbps, concurrency, threads, maxErrors, workers } = settings;
  return [
    ['Compression', spec.compression === 'LZ4' ? 'LZ4' : 'none'],
    ['Hard links', spec.preserveHardLinks ? 'kept' : 'become copies'],
    ...(selection === '' ? [] : ([['Left out', escapeText(selection)]] as const)),
    ...(capMbps ? ([['Cap', `${capMbps} Mb/s`]] as const) : []),
    ...(concurrency ? ([['Requests in flight', `at most ${concurrency}`]] as const) : []),
    ...(threads === undefined ? [] : ([['Threads', String(threads)]] as const)),
    ...(maxErrors === undefined ? [] : ([['Failures tolerated', String(maxErrors)]] as const)),
    ...(workers === undefined ? [] : ([['Workers by', escapeText(workers)]] as const)),
  ];
}

function listingOf({ committed, notChecked }: JobRecord): RecordedJob['listing'] {
  if (!committed) return undefined;
  return notChecked === ''
    ? { checked: true, text: 'The container holds what the job put into it, and nothing else.' }
    : { checked: false, text: `The listing of the container was not checked: ${escapeText(notChecked)}.` };
}
