import { ClfsError, messageOf } from '../error.js';
import { PosixError } from '../posix/posix-error.js';
import { quotePath } from '../text/escape-path.js';
import { type OpenTarget, reopenTarget } from './open-target.js';
import type { ExportRecord } from './state/export-record.js';
import type { ExportState } from './state/export-state.js';
import { namesPrefix } from './target/name-folding.js';
import { targetError } from './target/target-error.js';
import { mountDifferences, mountsOf, type TargetMount } from './target/target-mounts.js';
import { beginAnewText, temporaryPrefixOf } from './temporary-names.js';

/** Opens what a job has begun to write. @throws ClfsError `target` when it is not there */
export function openSameTarget(
  { record, counters }: ExportState,
  path: Buffer,
  statePath: string,
): Promise<OpenTarget> {
  return reopenTarget(path, {
    mark: { inode: BigInt(record.targetInode), place: record.targetPlace },
    isOurs: record.isTree,
    hasEntries: counters.written + counters.replaced > 0,
    wayAnew: beginAnewText(temporaryPrefixOf(record.jobId), JSON.stringify(statePath)),
  });
}

/** What is mounted below the target of a tree, to be recorded. @throws PosixError */
export async function recordedMounts(target: Pick<OpenTarget, 'mounted' | 'look'>): Promise<ExportRecord['mounts']> {
  return (await mountsOf(target)).map(toRecorded);
}

/**
 * Goes on with a tree in a session of its own. What has been recorded of it holds for the inodes by which it was read: where a
 * load has changed any of them meanwhile, as by a repair, entries that were taken would be told from others by their places
 * only, and the names of a file by what it was. Then the export begins anew, over what has been written.
 *
 * @param now what the container and its listing are known by
 * @throws ClfsError `target` where what is mounted in a directory of the job is not what was when it was written, and where
 * it cannot begin anew
 */
export async function goOnWithTree(
  state: ExportState,
  target: OpenTarget,
  now: Required<Pick<ExportRecord, 'listing' | 'rootName'>>,
  { statePath, say }: { readonly statePath: string; say(text: string): void },
): Promise<void> {
  const beginAnew = beginAnewText(temporaryPrefixOf(state.record.jobId), JSON.stringify(statePath));
  if (state.record.listing === now.listing) {
    await goOnWithMounts(state, target, beginAnew);
    return;
  }
  if (state.record.overwrite === 'never')
    throw new ClfsError(
      'target',
      `The container has changed since the export began, and with --overwrite=never nothing that has been written is compared with it. Export to an empty directory; or, with another --overwrite, ${beginAnew}`,
    );
  say('The container has changed since the export began: everything is compared with what has been written.');
  const mounts = await recordedMounts(target);
  state.transact(() => state.beginAnew({ ...now, mounts }));
}

/** Names the one try that comes before all others. */
const FIRST_ATTEMPT = '0';

/**
 * Finds out, once for a job and before any directory is read, what the target keeps of attributes, and which names that of
 * a tree takes for one. The job is recorded before: what is left of this by a crash is its own. A target in which no file
 * may be made is looked at again by the next session; where that finds that directories were read by other rules of names,
 * the export begins anew.
 *
 * @throws ClfsError `target` where it cannot be found out now; whatever SQLite throws
 */
export async function recordTarget(
  state: ExportState,
  target: Pick<OpenTarget, 'probeNames' | 'probeKept'>,
  say: (text: string) => void,
): Promise<void> {
  const { folding, kept, isTree, jobId, sessions, targetHex } = state.record;
  const path = Buffer.from(targetHex, 'hex');
  const prefix = temporaryPrefixOf(jobId);
  if (kept === undefined) {
    const found = await probed(path, () => target.probeKept(Buffer.from(`${prefix}kept`)));
    if (found) state.transact(() => state.update({ kept: found }));
  }
  // Of one file no name is that of another.
  if (!isTree || folding !== undefined) return;
  const found = await probed(path, () => target.probeNames(namesPrefix(prefix, FIRST_ATTEMPT)));
  if (!found) return;
  const change = { folding: found };
  if (sessions === 0 || !(found.letterCase || found.unicodeForm)) {
    state.transact(() => state.update(change));
    return;
  }
  say(
    'The target takes names for one that only differ in capital letters, or in forms of Unicode, which could not be found out before: everything is compared with what has been written.',
  );
  state.transact(() => state.beginAnew(change));
}

/** @throws ClfsError `target` when a file that asks what a target keeps cannot be made now */
async function probed<T>(path: Buffer, probe: () => Promise<T>): Promise<T> {
  try {
    return await probe();
  } catch (error) {
    const known = targetError(path, error);
    if (!(known instanceof PosixError)) throw known;
    const text = `Cannot make a file in ${quotePath(path)}: ${messageOf(error)}. Repeat the export when that is mended.`;
    throw new ClfsError('target', text, { cause: error });
  }
}

/**
 * What is mounted in a directory of the job, and was not when it was written, hides what is in it; what is not mounted any more
 * is missing. Elsewhere below the target things are mounted and unmounted as they please.
 */
async function goOnWithMounts(state: ExportState, target: OpenTarget, beginAnew: string): Promise<void> {
  const { record, directories } = state;
  const before = (record.mounts ?? []).map(fromRecorded);
  const { lacking, further } = await mountDifferences(ownMountsOf(target), before);
  const refusal = (text: string) => new ClfsError('target', `${text}, and repeat the export; or ${beginAnew}`);
  for (const { path } of lacking)
    if (directories.has(path))
      throw refusal(
        `What was mounted at ${quotePath(path)} of the target when the export began is not mounted there. Mount it`,
      );
  for (const path of further)
    if (directories.has(path))
      throw refusal(
        `Something is mounted at ${quotePath(path)} of the target that was not mounted there when the export began. Unmount it`,
      );
  if (lacking.length + further.length === 0) return;
  const more = await mountsOf({ mounted: further, look: target.look });
  const mounts = [...before.filter((mount) => !lacking.includes(mount)), ...more].map(toRecorded);
  state.transact(() => state.update({ mounts }));
}

/** What a server adds by itself, in one session or another, is the same wherever it is found. */
function ownMountsOf(target: OpenTarget): Pick<OpenTarget, 'mounted' | 'look'> {
  const own = target.mountedNow().filter(({ isAutomatic }) => !isAutomatic);
  return { mounted: own.map(({ path }) => path), look: target.look };
}

type RecordedMount = NonNullable<ExportRecord['mounts']>[number];

function toRecorded({ path, inode, bornNs }: TargetMount): RecordedMount {
  return { path: Buffer.from(path).toString('hex'), inode: String(inode), bornNs: String(bornNs) };
}

function fromRecorded({ path, inode, bornNs }: RecordedMount): TargetMount {
  return { path: Buffer.from(path, 'hex'), inode: BigInt(inode), bornNs: BigInt(bornNs) };
}
