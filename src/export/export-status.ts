import { type WorkerStatus, workersAt } from '../join/worker-status.js';
import { type FailureGroup, readFailureGroups } from '../state/failure-groups.js';
import { type JobNow, readNow } from '../state/job-now.js';
import { openForLook } from '../state/open-for-look.js';
import { recordedShare } from '../state/recorded-share.js';
import { findDatabase, isStateHeld } from '../state/state-directory.js';
import { escapePath } from '../text/escape-path.js';
import { choiceText } from './choice.js';
import type { Overwrite } from './options.js';
import { isSalvage } from './salvage-root.js';
import type { ExportRecord } from './state/export-record.js';
import { checkTables, FailurePhase } from './state/schema.js';

/** An export as it is recorded. */
export interface RecordedExport {
  readonly jobId: string;
  readonly state: 'running' | 'stopped' | 'finished';
  /** Without its SAS. */
  readonly container: string;
  /** What of it is exported, as it is shown and exactly; empty: all of it. */
  readonly path: string;
  readonly pathHex: string;
  /** What is written to, as it is shown and exactly. */
  readonly target: string;
  readonly targetHex: string;
  readonly overwrite: Overwrite;
  readonly sparse: boolean;
  readonly salvage: boolean;
  /** The flags by which entries are chosen, for a shell; empty for none. */
  readonly selection: string;
  readonly sessions: number;
  /** Counts over all sessions. */
  readonly written: number;
  readonly replaced: number;
  /** Entries that were there already. */
  readonly left: number;
  readonly failed: number;
  readonly excluded: number;
  readonly bytes: number;
  /** Hard links that became copies of their own. */
  readonly linkCopies: number;
  /**
   * Thousandths of the work that are done; 0 while the totals are not known. When the export has ended with failures: of
   * all entries those that were done.
   */
  readonly permille: number;
  /** Where it stands beside that; undefined unless it runs. */
  readonly now: JobNow | undefined;
  /** Workers on other machines, while it runs and may have some. */
  readonly workers: readonly WorkerStatus[] | undefined;
  /** What failed, by reason; paths below the target. */
  readonly failures: readonly FailureGroup[];
  /** When it last recorded something. */
  readonly lastAlive: string | undefined;
  /** Empty while it runs, or when it was killed. */
  readonly finalStatus: string;
}

/**
 * Looks at an export without disturbing it.
 *
 * @throws ClfsError `state` when there is none, or it cannot be read
 */
export function exportStatus(statePath: string): RecordedExport {
  const path = findDatabase(statePath);
  const running = isStateHeld(statePath);
  const db = openForLook(path, running);
  try {
    checkTables(db, path, running);
    const row = db.prepare('SELECT * FROM job').get() as { record: string; alive_ms: number } & Record<
      'written' | 'replaced' | 'kept' | 'excluded' | 'bytes',
      number
    >;
    const record = JSON.parse(row.record) as ExportRecord;
    const { written, replaced, kept, excluded, bytes, alive_ms: aliveMs } = row;
    const stands = `phase = ${FailurePhase.failed}`;
    const { n: failed } = db.prepare(`SELECT count(*) AS n FROM failure WHERE ${stands}`).get() as { n: number };
    const source = Buffer.from(record.pathHex, 'hex');
    const target = targetOf(record);
    return {
      jobId: record.jobId,
      state: running ? 'running' : record.finalStatus === 'Completed' ? 'finished' : 'stopped',
      container: record.container,
      path: escapePath(source),
      pathHex: record.pathHex,
      target: escapePath(target),
      targetHex: target.toString('hex'),
      overwrite: record.overwrite,
      sparse: record.sparse,
      salvage: isSalvage(record),
      selection: choiceText(record.choice),
      sessions: record.sessions,
      written,
      replaced,
      left: kept,
      failed,
      excluded,
      bytes,
      linkCopies: record.linkCopies ?? 0,
      permille:
        recordedShare({
          finished: record.finalStatus === 'Completed',
          finalStatus: record.finalStatus,
          permille: record.permille ?? 0,
          done: written + replaced + kept,
          failed,
        }) ?? 0,
      now: running ? readNow(db, record.sessions) : undefined,
      workers: running ? workersAt(statePath) : undefined,
      failures: readFailureGroups(db, stands, '1'),
      lastAlive: aliveMs === 0 ? undefined : new Date(aliveMs).toISOString(),
      finalStatus: record.finalStatus,
    };
  } finally {
    db.close();
  }
}

/** The directory that an export writes into, or the file. */
export function targetOf({ targetHex, nameHex }: Pick<ExportRecord, 'targetHex' | 'nameHex'>): Buffer {
  return Buffer.from(nameHex === '' ? targetHex : `${targetHex}2f${nameHex}`, 'hex');
}
