import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { ClfsError, messageOf } from '../error.js';
import { reportHtml } from './page-html.js';
import { RecordedContent } from './recorded-content.js';
import { RecordedModel } from './recorded-model.js';
import { reportedFailures } from './reported-failures.js';

/** Writes the page of a job as it stands now, with everything in it, to a file: all of it or nothing. */
export function writeReportNow(statePath: string, file: string): void {
  const model = new RecordedModel(statePath).look();
  const html = reportHtml({ model, failures: reportedFailures(new RecordedContent(statePath)) });
  const temporary = `${file}.new`;
  try {
    writeFileSync(temporary, html);
    renameSync(temporary, file);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw new ClfsError('target', `Cannot write the report ${JSON.stringify(file)}: ${messageOf(cause)}.`, { cause });
  }
}
