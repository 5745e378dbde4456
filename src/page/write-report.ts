import { writeFileSync } from 'node:fs';
import { ClfsError, messageOf } from '../error.js';
import { beginReplacement } from '../posix/replace-file.js';
import type { PageReport } from './model.js';
import { reportHtml } from './page-html.js';
import { RecordedContent } from './recorded-content.js';
import { RecordedModel } from './recorded-model.js';
import { reportedFailures } from './reported-failures.js';

/** Writes the page of a job as it stands now, with everything in it, to a file: all of it or nothing. */
export function writeReportNow(statePath: string, file: string): void {
  const model = new RecordedModel(statePath).look();
  writeReportFile(file, { model, failures: reportedFailures(new RecordedContent(statePath)) });
}

/** Writes a report to a file: all of it or nothing. @throws ClfsError `target` */
export function writeReportFile(file: string, report: PageReport): void {
  try {
    writeWhole(file, reportHtml(report));
  } catch (cause) {
    throw new ClfsError('target', `Cannot write the report ${JSON.stringify(file)}: ${messageOf(cause)}.`, { cause });
  }
}

function writeWhole(file: string, html: string): void {
  const { path, flags, finish, abandon } = beginReplacement(file);
  try {
    writeFileSync(path, html, { flag: flags });
    finish();
  } catch (error) {
    abandon();
    throw error;
  }
}
