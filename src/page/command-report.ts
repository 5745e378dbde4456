import { CommandContent } from './command-content.js';
import { FoundBatches } from './found.js';
import type { CommandReport, PageOptions } from './page-options.js';
import { reportedFailures } from './reported-failures.js';
import { writeReportFile } from './write-report.js';

/** Keeps what a command without a state does, for a report of it. */
export function openCommandReport({ title, from = '', to = '' }: NonNullable<PageOptions['command']>): CommandReport {
  const content = new CommandContent({ title, from, to });
  const found = new FoundBatches();
  return {
    show: (figures) => content.take(figures),
    say: (text) => content.say(text),
    found: (finding) => found.add(finding),
    write(file, ending) {
      const batch = found.take();
      if (batch) content.find(batch);
      if (ending) content.end(ending);
      writeReportFile(file, { model: content.look(), failures: reportedFailures(content) });
    },
  };
}
