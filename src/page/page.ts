import { join, resolve } from 'node:path';
import type { CommandReport, OpenPage, PageOptions } from './page-options.js';

/**
 * Serves the page of a job from a thread of its own: the state is only read, and neither the job nor the process waits
 * for it.
 *
 * @throws ClfsError `usage` when it cannot be served there
 */
export async function openPage(options: PageOptions): Promise<OpenPage> {
  const { openPageThread } = await import('./page-thread.js');
  return openPageThread(options);
}

/** Keeps what a command without a state does and finds, for a report like that of a job. */
export async function commandReport(command: NonNullable<PageOptions['command']>): Promise<CommandReport> {
  const { openCommandReport } = await import('./command-report.js');
  return openCommandReport(command);
}

/**
 * Writes the page of a job into one file that needs nothing else, to be kept, mailed or printed: no token and no SAS is in it.
 *
 * @param file default: `report.html` in the state directory
 * @returns path of the file
 * @throws ClfsError `state` when there is no job; `target` when the file cannot be written
 */
export async function writeReport(statePath: string, file?: string): Promise<string> {
  const { writeReportNow } = await import('./write-report.js');
  const path = resolve(file ?? join(statePath, 'report.html'));
  writeReportNow(resolve(statePath), path);
  return path;
}
