import { pathBelow, type ReportedFailure, writeFailureReports } from '../log/failure-reports.js';
import type { JobContext } from './job-context.js';
import { pages } from './tries.js';

const PAGE = 1000;

/** Writes the reports of what failed. @param root absolute path of the source */
export function writeReports(context: JobContext, root: Uint8Array, file: (name: string) => string): void {
  writeFailureReports(context.state.failures.count() > 0, () => failures(context, root), file);
}

function* failures(context: JobContext, root: Uint8Array): Generator<ReportedFailure> {
  for (const failure of pages((after) => context.state.failures.list(after, PAGE))) {
    yield { ...failure, path: pathBelow(root, context.entryPath(failure.directory, failure.name)) };
  }
}
