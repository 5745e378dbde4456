import { MOST_LINKS } from '../format/limits.js';
import type { JobRecord } from '../state/job-record.js';
import { counted } from '../text/counted.js';
import { escapePath } from '../text/escape-path.js';
import type { UnstorableCount } from '../worker/unstorable-count.js';
import type { JobContext } from './job-context.js';
import type { Progress } from './progress.js';

/** What is said at the end of a load that is not as its source is, or not known to be. @returns whole sentences */
export function endNotes(context: JobContext): readonly string[] {
  const { state } = context;
  const { notChecked } = state.record;
  return [
    ...unheldTexts(context),
    ...linkTexts(state.linkCopies()),
    ...goneTexts(state.record),
    ...(notChecked === ''
      ? []
      : [
          `The listing of the container was not checked: ${notChecked}. Check it by "clfsload fsck --content" with the container.`,
        ]),
  ];
}

/**
 * What the format cannot hold of the source, as far as it was counted.
 *
 * @returns whole sentences; none when there is nothing of the kind; undefined when nobody has gone over all of the
 * source
 */
export function countedTexts(progress: Progress): readonly string[] | undefined {
  // Listings that are not complete have not counted everything.
  const listed = progress.scanning ? undefined : progress.listedUnstorable;
  const { unstorable = listed } = progress;
  if (!unstorable) return undefined;
  const text = ({ entries, first }: UnstorableCount['acls'], what: string) =>
    entries === 0
      ? []
      : [
          `${entries} ${entries === 1 ? 'entry has' : 'entries have'} ${what}, which the format cannot hold; the first is ${escapePath(first ?? new Uint8Array(0)) || '.'}.`,
        ];
  return [...text(unstorable.acls, 'ACLs'), ...text(unstorable.attributes, 'extended attributes')];
}

/** Silence means that all of the source was gone over, in the present session or before, and that nothing is lost. */
function unheldTexts({ state, progress }: JobContext): readonly string[] {
  return (
    countedTexts(progress) ??
    state.record.unheld ?? [
      `ACLs and extended attributes, which the format cannot hold, were not counted: ${progress.notCounted}. "clfsload load --dry-run" counts them.`,
    ]
  );
}

function linkTexts(copies: number): readonly string[] {
  if (copies === 0) return [];
  const what =
    copies === 1 ? '1 hard link became a copy of its own' : `${copies} hard links became copies of their own`;
  return [
    `${what}: the file has more than ${MOST_LINKS} links, or cannot be shown to be one that is loaded already; the log tells which.`,
  ];
}

/** What was moved to where nothing looks any more is in the container neither here nor there. */
function goneTexts({ gone }: Pick<JobRecord, 'gone'>): readonly string[] {
  if (!gone) return [];
  const first = escapePath(Buffer.from(gone.firstHex, 'hex'));
  const names = `${counted(gone.names, 'names')} ${gone.names === 1 ? 'is' : 'are'}`;
  return [
    `Of what had failed, ${names} not found any more: the first is ${first}, the log has all. What of that was moved into a directory that had been listed before is not loaded; "clfsload verify" with source and container tells.`,
  ];
}
