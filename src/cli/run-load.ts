import { type LoadEvent, type LoadOptions, type LoadSummary, load, messageOf, writeReport } from '../index.js';
import type { LoadOutput } from './load-output.js';

/** Shows a load to somebody while it runs. */
export interface LoadListener {
  event(event: LoadEvent): void;
  start(snapshot: Parameters<LoadOutput['start']>[0]): void;
  end(summary: LoadSummary): void;
}

/**
 * Runs a load, and reports it to `listener` as it goes.
 *
 * @returns exit code: 0 only when everything arrived
 * @throws ClfsError when the job is refused before it begins
 */
export async function runLoad(options: LoadOptions, listener: LoadListener): Promise<number> {
  const summary = await load({
    ...options,
    logDirectory: process.env.AZCOPY_LOG_LOCATION || undefined,
    onEvent: (event) => listener.event(event),
    onStart: (snapshot) => listener.start(snapshot),
  });
  await keepReport(options.statePath, (text) => listener.event({ kind: 'message', text }));
  listener.end(summary);
  return summary.status === 'Completed' ? 0 : 1;
}

/** Keeps the page of a job in its state directory, when it has ended. What goes wrong with that fails no job. */
export async function keepReport(statePath: string, complain: (text: string) => void): Promise<void> {
  try {
    await writeReport(statePath);
  } catch (error) {
    complain(`report.html was not written: ${messageOf(error)}`);
  }
}
