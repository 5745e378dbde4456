import type { PageContent } from './content.js';

const REPORTED_FAILURES = 2000;

/** The first of what failed, as a report has them. */
export function reportedFailures(content: PageContent): ReturnType<PageContent['search']> {
  const rows = [];
  let next: number | undefined = 0;
  while (next !== undefined && rows.length < REPORTED_FAILURES) {
    const found = content.search('', next);
    rows.push(...found.rows);
    next = found.next;
  }
  return next === undefined ? { rows } : { rows, next };
}
