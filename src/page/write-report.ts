import { realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { ClfsError, messageOf } from '../error.js';
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
  const there = statSync(file, { throwIfNoEntry: false });
  if (there && !there.isFile()) {
    // A device or a pipe takes it as it comes, and stays what it is.
    writeFileSync(file, html);
    return;
  }
  const target = there ? realpathSync(file) : file;
  const temporary = `${target}.new`;
  // One of a process that died. In its place no link of somebody else's is followed.
  rmSync(temporary, { force: true });
  writeFileSync(temporary, html, { flag: 'wx' });
  try {
    renameSync(temporary, target);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
