import type { Database } from '../sqlite/database.js';
import { escapePath } from '../text/escape-path.js';
import type { JobPulse } from './job-pulse.js';

/** Where a running job stands beside its counts, as it has recorded in the last seconds; moments in ISO 8601. */
export interface JobNow {
  readonly phase: string;
  /** Entries in all; absent while they are not known. */
  readonly total?: number;
  /** Since when the service does not answer; absent while it does. */
  readonly serviceAwaySince?: string;
  /** The same of the source. */
  readonly sourceAwaySince?: string;
  /** A call of the source that is not answered: of which path, as it is shown and exactly. */
  readonly stalled?: { readonly since: string; readonly path: string; readonly pathHex: string };
}

/** @param session the present one @returns undefined while that has recorded nothing of it */
export function readNow(db: Database, session: number): JobNow | undefined {
  // The state of an older program has no past.
  const hasPast = db.prepare("SELECT count(*) AS n FROM sqlite_schema WHERE name = 'pulse'").get() as { n: number };
  if (hasPast.n === 0) return undefined;
  const sql = 'SELECT pulse FROM pulse WHERE (SELECT session FROM series ORDER BY id DESC LIMIT 1) = ?';
  const row = db.prepare(sql).get(session) as { pulse: string } | undefined;
  if (!row) return undefined;
  const { phase, total, waitingSinceMs, source } = JSON.parse(row.pulse) as JobPulse;
  const { awaySinceMs = 0, stalled } = source ?? {};
  return {
    phase,
    ...(total === undefined ? {} : { total }),
    ...(waitingSinceMs === 0 ? {} : { serviceAwaySince: moment(waitingSinceMs) }),
    ...(awaySinceMs === 0 ? {} : { sourceAwaySince: moment(awaySinceMs) }),
    ...(stalled && {
      stalled: {
        since: moment(stalled.sinceMs),
        path: escapePath(Buffer.from(stalled.pathHex, 'hex')),
        pathHex: stalled.pathHex,
      },
    }),
  };
}

function moment(ms: number): string {
  return new Date(ms).toISOString();
}
