import { join } from 'node:path';
import { choiceText } from '../export/choice.js';
import { targetOf } from '../export/export-status.js';
import { isSalvage } from '../export/salvage-root.js';
import type { ExportRecord } from '../export/state/export-record.js';
import { FailurePhase } from '../export/state/schema.js';
import type { Database } from '../sqlite/database.js';
import { readFailureGroups } from '../state/failure-groups.js';
import { recordedShare } from '../state/recorded-share.js';
import { escapePath, escapeText } from '../text/escape-path.js';
import type { RecordedJob } from './recorded.js';

/** The condition by which a failure of an export stands. */
export const EXPORT_STANDS = `phase = ${FailurePhase.failed}`;

/** Reads what is recorded of an export. */
export function readExport(db: Database, statePath: string): RecordedJob {
  const row = db
    .prepare('SELECT record, written, replaced, kept, excluded, bytes, alive_ms AS aliveMs FROM job')
    .get() as {
    record: string;
    written: number;
    replaced: number;
    kept: number;
    excluded: number;
    bytes: number;
    aliveMs: number;
  };
  const record = JSON.parse(row.record) as ExportRecord;
  const { written, replaced, kept } = row;
  const path = Buffer.from(record.pathHex, 'hex');
  const finished = record.finalStatus === 'Completed';
  const failed = (db.prepare(`SELECT count(*) AS n FROM failure WHERE ${EXPORT_STANDS}`).get() as { n: number }).n;
  return {
    job: {
      kind: 'export',
      title: isSalvage(record) ? 'Export, salvaged' : 'Export',
      id: record.jobId,
      from: `${escapeText(record.container)}${path.length === 0 ? '' : `  ${escapePath(path)}`}`,
      to: escapePath(targetOf(record)),
      settings: settingsOf(record),
      phases: ['Export', 'Done'],
      unit: 'entries',
    },
    finished,
    finalStatus: record.finalStatus,
    session: record.sessions,
    sessionStartMs: undefined,
    aliveMs: row.aliveMs,
    permille: recordedShare({
      finished,
      finalStatus: record.finalStatus,
      permille: record.permille ?? 0,
      done: written + replaced + kept,
      failed,
    }),
    done: written + replaced + kept,
    bytes: row.bytes,
    excluded: row.excluded,
    failed,
    sized: undefined,
    further: [
      ['written', written],
      ['replaced', replaced],
      ['there already', kept],
    ],
    sourceCalls: undefined,
    listing: undefined,
    notes: [],
    groups: readFailureGroups(db, EXPORT_STANDS, '1'),
    listed: failed,
    logFile: join(statePath, 'clfsload.log'),
  };
}

function settingsOf({ overwrite, sparse, choice, capMbps }: ExportRecord): RecordedJob['job']['settings'] {
  const chosen = choiceText(choice);
  return [
    [
      'Entries that are there',
      { never: 'stay', 'if-different': 'are replaced where they differ', always: 'are replaced' }[overwrite],
    ],
    ...(sparse ? ([['Runs of zeros', 'become holes']] as const) : []),
    ...(capMbps ? ([['Cap', `${capMbps} Mb/s`]] as const) : []),
    ...(chosen === '' ? [] : ([['Choice', escapeText(chosen)]] as const)),
  ];
}
