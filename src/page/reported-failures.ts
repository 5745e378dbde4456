import type { PageContent } from './content.js';

const REPORTED_FAILURES = 2000;

/** The first of what failed, as a report has them. */
export function reportedFailures(content: PageContent): ReturnType<PageContent['search']> {
  return content.search('', 0, REPORTED_FAILURES);
}
