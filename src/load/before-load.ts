import { inspectSas } from '../container/azure/sas.js';
import type { ParsedContainer } from '../container/open-container.js';
import { freeSpaceWarnings } from '../state/free-space.js';
import { escapePath } from '../text/escape-path.js';
import type { UnstorableCount } from '../worker/unstorable-count.js';

/** Warnings of what may stop a job later, as far as it can be known before. @returns whole sentences */
export function warningsBefore(destination: ParsedContainer, statePath: string, nowMs: number): readonly string[] {
  const sas = destination.place.kind === 'azure' ? inspectSas(destination.query, nowMs).warnings : [];
  return [...sas, ...freeSpaceWarnings(statePath)];
}

/** What of the source has not been loaded since the format cannot hold it. @returns whole sentences */
export function unstorableTexts(unstorable: UnstorableCount | undefined): readonly string[] {
  if (!unstorable) return [];
  const text = ({ entries, first }: UnstorableCount['acls'], what: string) =>
    entries === 0
      ? []
      : [
          `${entries} ${entries === 1 ? 'entry has' : 'entries have'} ${what}, which the format cannot hold; the first is ${escapePath(first ?? new Uint8Array(0)) || '.'}.`,
        ];
  return [...text(unstorable.acls, 'ACLs'), ...text(unstorable.attributes, 'extended attributes')];
}
