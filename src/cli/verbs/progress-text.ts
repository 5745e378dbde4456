import { durationText } from '../dry-run-text.js';
import { humanBytes } from './entry-text.js';

/** Before this much is done an estimate of the end means nothing. */
const ESTIMATE_AFTER_MS = 10_000;

/** Where a walk over a whole tree stands. */
export interface WholeProgress {
  readonly done: number;
  /** Undefined where it is not known. */
  readonly total: number | undefined;
  /** Entries of the present run, and how long it has taken so far. */
  readonly sessionEntries: number;
  readonly elapsedMs: number;
  readonly failed?: number;
  readonly bytes?: number;
  /** What has become of the bytes. */
  readonly bytesAre?: string;
}

/** A line with total, rate and the time that is left. */
export function wholeProgressText(progress: WholeProgress): string {
  const { done, total, sessionEntries, elapsedMs, failed = 0, bytes, bytesAre = '' } = progress;
  const rate = elapsedMs > 0 ? (sessionEntries * 1000) / elapsedMs : 0;
  const of = total === undefined ? '' : ` of ${total} (${((100 * done) / Math.max(1, total, done + 1)).toFixed(1)} %)`;
  const parts = [`${done} entries${of}`, `${rate.toFixed(0)}/s`];
  if (total !== undefined && elapsedMs > ESTIMATE_AFTER_MS && rate > 0)
    parts.push(`${durationText(Math.max(0, total - done) / rate)} left`);
  if (failed > 0) parts.push(`${failed} failed`);
  if (bytes !== undefined) parts.push(`${humanBytes(bytes)} ${bytesAre}`);
  return parts.join(', ');
}

/** A way to show how far one run over a tree has come. */
export function showWhole(
  io: { progress(text: () => string): void },
  total: number | undefined,
  bytesAre = '',
): (entries: number, bytes?: number) => void {
  const begun = performance.now();
  return (done, bytes) =>
    io.progress(() =>
      wholeProgressText({ done, total, sessionEntries: done, elapsedMs: performance.now() - begun, bytes, bytesAre }),
    );
}
