import { counted } from '../../index.js';
import type { ProgressFigures } from './figures.js';
import { shortBytes } from './quantities.js';

/**
 * How far a verb has come that is stopped, in sentences.
 *
 * @param figures what its line of progress showed last; undefined: nothing
 * @param findings that it has told of
 */
export function stoppedText(figures: ProgressFigures | undefined, findings: number): string {
  const found = findings === 0 ? '' : ` ${counted(findings, 'findings')} so far.`;
  if (!figures) return `Stopped.${found}`;
  const { label, unit, done, total, bytes, bytesTotal, stored = false } = figures;
  const entries = total === undefined ? counted(done, unit) : `${done} of ${counted(total, unit)}`;
  const of = bytesTotal === undefined ? '' : ` of ${shortBytes(bytesTotal)}`;
  const content = bytes === undefined ? '' : `, ${shortBytes(bytes)}${of}${stored ? ' stored' : ''}`;
  return `Stopped. ${label}: ${entries}${content}.${found}`;
}
