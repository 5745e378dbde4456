import { ClfsError } from '../error.js';
import { isOtherRoot, isSamePlace } from '../source/source-place.js';
import type { DirectoryIdentity, SourceAttributes } from '../source/source-tree.js';
import { unlessStopped } from '../waits/waits.js';
import type { WorkContext } from '../worker/context.js';
import { lookAtDirectory } from '../worker/source-looks.js';
import type { EntryProblem } from '../worker/tasks.js';
import type { JobContext } from './job-context.js';

/** Why an entry stays failed that is not looked at. */
export const UNPROVEN: EntryProblem = {
  reason: 'directory-changed',
  message:
    'the source is not proven to be the one that was loaded, or a file system on the way to it is not mounted or is another one: it is not looked at',
  attempts: 1,
};

/** By what the calling thread looks at the source outside of its lane. */
export interface SourceTools {
  readonly work: Pick<WorkContext, 'source' | 'pace'>;
  readonly signal: AbortSignal;
}

/**
 * Attributes of a directory of the source. A server that never answers holds up neither the thread nor a stop.
 *
 * @throws as `SourceTree.openDirectory`; ClfsError `open-files`, `cancelled`
 */
export function lookAtSource(
  { work, signal }: SourceTools,
  path: Buffer,
  expected?: DirectoryIdentity,
): Promise<SourceAttributes> {
  return unlessStopped(signal, () => lookAtDirectory(work, path, expected));
}

/**
 * Looks where the source is now.
 *
 * @returns tells whether what is found at a path of it, or missing there, says something of what this job loads: the
 * root is the recorded one, with the same file systems mounted on the way. Only then may anything be dropped for it:
 * what is recorded may be the only trace of what is somewhere else. Where nothing was recorded (a
 * source that cannot be told from others; the first session that goes on with a job of version 0.1.0) nothing speaks
 * against it.
 */
export function proveSource({ state, sourcePlace }: JobContext): (path: Uint8Array) => boolean {
  const { sourcePlace: before } = state.record;
  if (!before) return () => true;
  const now = sourcePlace();
  return (path) => isSamePlace(before, now, path);
}

/**
 * Requires that the root is not certainly another one than the one that was loaded. @throws ClfsError `source`
 */
export function requireSameRoot({ state, sourcePlace }: JobContext): void {
  if (isOtherRoot(state.record.sourcePlace, sourcePlace())) throw otherRoot();
}

/** The root is another directory than the one that was loaded. */
export function otherRoot(): ClfsError {
  return new ClfsError(
    'source',
    'Cannot read the source: it is another directory than the one that this job loaded. Put that one back (is its file system mounted?) and go on with --new-session=false, or start a new job with an empty container.',
  );
}
