import { ClfsError } from '../error.js';
import { isOtherRoot, isSamePlace, mountNamesIn, mountNow, type SourcePlace } from '../source/source-place.js';
import type { FailureRecord } from '../state/failures.js';
import type { EntryProblem } from '../worker/tasks.js';
import type { JobContext } from './job-context.js';

/** Why an entry stays failed that is not looked at. */
export const UNPROVEN: EntryProblem = {
  reason: 'directory-changed',
  message:
    'the source is not proven to be the one that was loaded, or a file system on the way to it is not mounted or is another one: it is not looked at',
  attempts: 1,
};

/** Why an entry is not loaded at whose path another file system is mounted than the recorded one. */
export const OTHER_MOUNT: EntryProblem = {
  reason: 'other-file-system',
  message:
    'another file system is mounted there than the one that this job knows: mount that one and go on; or go on without a change, and what is mounted there then is loaded',
  attempts: 1,
};

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
 * As {@link proveSource}, for names in a directory of which nothing is recorded but that they have failed: what has been
 * mounted at them since is part of the source. So is another file system than the recorded one, once that has been told.
 *
 * @returns why one is not to be looked at
 */
export function proveFailed(
  context: JobContext,
  directory: number,
): (failed: Pick<FailureRecord, 'name' | 'reason'>) => EntryProblem | undefined {
  const { sourcePlace: before } = context.state.record;
  if (!before) return () => undefined;
  const now = context.sourcePlace();
  if (!now || !isSamePlace(before, now, context.directory(directory).path)) return () => UNPROVEN;
  return ({ name, reason }) => {
    const problem = problemAt(before, now, context.entryPath(directory, name));
    return problem?.reason === OTHER_MOUNT.reason && reason === OTHER_MOUNT.reason ? undefined : problem;
  };
}

/**
 * Names in a directory, one character a byte, at which a file system is recorded that is not mounted now, or in whose
 * place another one is, and why what is there is not loaded: it is not what this job was begun with. Mostly none.
 */
export function unmountedNames(context: JobContext, directory: number): ReadonlyMap<string, EntryProblem> {
  const { sourcePlace: before } = context.state.record;
  if (!before) return NONE;
  const names = mountNamesIn(before, context.directory(directory).path);
  const now = names.length === 0 ? undefined : context.sourcePlace();
  if (!now) return NONE;
  const found = new Map<string, EntryProblem>();
  for (const name of names) {
    const problem = problemAt(before, now, context.entryPath(directory, Buffer.from(name, 'latin1')));
    if (problem) found.set(name, problem);
  }
  return found;
}

/** What there is of a name in what {@link unmountedNames} gave. */
export function problemOfName(
  unmounted: ReadonlyMap<string, EntryProblem>,
  name: Uint8Array,
): EntryProblem | undefined {
  return unmounted.size === 0 ? undefined : unmounted.get(Buffer.from(name).toString('latin1'));
}

const NONE: ReadonlyMap<string, EntryProblem> = new Map();

function problemAt(before: SourcePlace, now: SourcePlace, path: Buffer): EntryProblem | undefined {
  const found = mountNow(before, now, path.toString('hex'));
  if (found === 'same') return undefined;
  return found === 'away' ? UNPROVEN : OTHER_MOUNT;
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
