import type { Database } from '../sqlite/database.js';
import { EntryPaths } from './entry-path.js';

/** What failed for one reason. */
export interface FailureGroup {
  /** As `docs/errors.md` lists them. */
  readonly reason: string;
  /** A linked file counts once, whatever number of names it has. */
  readonly entries: number;
  /** Their names, as many as the reports have lines for them. */
  readonly names: number;
  /** The first of them, below the root of the job's tree; empty: the root itself. */
  readonly first: readonly Uint8Array[];
}

/** Paths that are told for each reason. */
const FIRST = 3;

/**
 * What failed, by reason, most first.
 *
 * @param db of a load or an export: their tables of failures and of directories have the same columns for this
 * @param stands the condition by which a failure stands
 * @param counts the number of entries that a row counts for
 */
export function readFailureGroups(db: Database, stands: string, counts: string): readonly FailureGroup[] {
  const groups = db
    .prepare(
      `SELECT reason, max(1, sum(${counts})) AS entries, count(*) AS names FROM failure WHERE ${stands} GROUP BY reason ORDER BY 2 DESC, 1`,
    )
    .all() as { reason: string; entries: number; names: number }[];
  const first = db.prepare(
    `SELECT directory, name FROM failure WHERE reason = ? AND ${stands} ORDER BY id LIMIT ${FIRST}`,
  );
  const paths = new EntryPaths(db);
  return groups.map(({ reason, entries, names }) => ({
    reason,
    entries,
    names,
    first: (first.all(reason) as { directory: number; name: Uint8Array }[]).map(({ directory, name }) =>
      paths.entry(directory, name),
    ),
  }));
}
