import { isClfsError } from '../error.js';
import { unpackAttributes } from '../format/packed-attributes.js';
import { isOlder } from '../source/settled.js';
import {
  changedMounts,
  type RecordedThere,
  type SourcePlace,
  takeMounts,
  WHEN_WANTED,
  withMounts,
} from '../source/source-place.js';
import type { SourceAttributes } from '../source/source-tree.js';
import { type DirectoryRecord, ROOT_DIRECTORY } from '../state/directories.js';
import type { JobContext } from './job-context.js';
import { lookAtSource, type SourceTools } from './look-at-source.js';

/** Each may wait for a server of its own. */
const REACHED_AT_ONCE = 8;

/**
 * The recorded place of the source, with the file systems that have been mounted since.
 *
 * A file system that is mounted over a directory which is recorded already is no part of what is loaded: what was
 * loaded is below it. One at a name of which only a failure is recorded is: what is there by its name is loaded.
 */
export async function placeWithMounts(context: JobContext, tools: SourceTools): Promise<SourcePlace | undefined> {
  const { sourcePlace: before } = context.state.record;
  const now = context.sourcePlace();
  const known = new Map<string, RecordedThere>();
  if (before && now)
    for (const path of changedMounts(before, now))
      known.set(path, await recordedThere(context, tools, Buffer.from(path, 'hex')));
  return withMounts(before, now, (path) => known.get(path.toString('hex')) ?? 'other');
}

/**
 * Records that file systems are part of the source that are met at paths of which nothing is recorded yet; inside the
 * transaction that records what is found there: however the session ends, an empty directory in their place is none of
 * it then.
 */
export function recordMountsAt({ state, sourcePlace }: JobContext, paths: readonly Buffer[]): void {
  const { sourcePlace: before } = state.record;
  const now = before && paths.length > 0 ? sourcePlace() : undefined;
  if (!before || !now) return;
  const met = paths.map((path) => path.toString('hex'));
  const place = takeMounts(before, now, met);
  if (place !== before) state.update({ sourcePlace: place });
}

/** As {@link recordMountsAt}, of what could not be looked at: only where nothing is recorded to be mounted. */
export function recordNewMountsAt(context: JobContext, paths: readonly Buffer[]): void {
  const mounts = context.state.record.sourcePlace?.mounts ?? {};
  recordMountsAt(
    context,
    paths.filter((path) => mounts[path.toString('hex')] === undefined),
  );
}

/**
 * Goes to each file system of the source that is recorded and not mounted now: one that is mounted when it is wanted, by
 * this system or by its server, is mounted then.
 *
 * @throws ClfsError `cancelled`
 */
export async function reachMounts(context: JobContext, tools: SourceTools): Promise<void> {
  const { sourcePlace: before, spec } = context.state.record;
  const now = context.sourcePlace();
  if (!before || !now || spec.selection.oneFileSystem) return;
  const isAway = (path: string) => now.mounts[path] === undefined || now.mounts[path] === WHEN_WANTED;
  const away = Object.keys(before.mounts).filter((path) => isAway(path) && before.mounts[path] !== now.mounts[path]);
  const reach = async () => {
    for (let path = away.shift(); path !== undefined; path = away.shift()) {
      try {
        await lookAtSource(tools, Buffer.from(path, 'hex'));
      } catch (error) {
        if (!isClfsError(error, 'entry')) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: REACHED_AT_ONCE }, reach));
}

async function recordedThere(context: JobContext, tools: SourceTools, path: Buffer): Promise<RecordedThere> {
  const directory = recordedAt(context, path);
  if (directory === undefined) return 'nothing';
  try {
    const { place } = context.directory(directory);
    const found = await lookAtSource(tools, path, { ...place, device: undefined });
    return isCertain(context.state.directories.get(directory), found) ? 'certain' : 'same';
  } catch (error) {
    if (!isClfsError(error, 'entry')) throw error;
    return 'other';
  }
}

/**
 * Whether a directory that has the number of the recorded one is certainly that: other file systems have the same
 * numbers, but made their directories, or changed them, at other times.
 */
function isCertain({ inode, bornNs, attributes }: DirectoryRecord, found: SourceAttributes): boolean {
  if (inode === 0n) return false;
  const { seconds = 0, nanoseconds = 0 } = attributes ? unpackAttributes(attributes).ctime : {};
  // A replica, or a snapshot, has what it is one of but for what was changed since.
  if (isOlder(found, { ctimeSeconds: seconds, ctimeNanoseconds: nanoseconds })) return false;
  if (bornNs !== 0n && found.bornNs !== 0n) return bornNs === found.bornNs;
  // Where a file system tells no time, that is 0.
  return seconds !== 0 && seconds === found.ctimeSeconds && nanoseconds === found.ctimeNanoseconds;
}

/** The directory that is recorded at a path; undefined: nothing is, or only that it has failed. */
function recordedAt({ state: { directories } }: JobContext, path: Buffer): number | undefined {
  let at: number | undefined = ROOT_DIRECTORY;
  for (const text of path.toString('latin1').split('/')) {
    at = directories.child(at, Buffer.from(text, 'latin1'));
    if (at === undefined) return undefined;
  }
  return at;
}
