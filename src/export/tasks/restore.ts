import type { Breakage } from '../../engine/breakage.js';
import { unpackAttributes } from '../../format/packed-attributes.js';
import { joinPath } from '../../paths/join-path.js';
import { giveAttributesToDirectory } from '../target/give-attributes.js';
import type { ExportContext } from './context.js';
import type { EntryProblem, RestoreResult, RestoreTask } from './kinds.js';
import { exportBreakage, problemOf } from './problem.js';

/** Directories of one parent that are in flight at once on a slow target. */
const SIBLINGS_AT_ONCE = 16;

type Directory = RestoreTask['directories'][number];

/** Gives directories their owner, mode and times. */
export async function restoreDirectories({ directories }: RestoreTask, context: ExportContext): Promise<RestoreResult> {
  const { target, stop, reader } = context;
  let outcomes: (EntryProblem | undefined)[] = [];
  let broken: Breakage | undefined;
  const giveBack = await context.directories.take();
  let parent: { readonly path: Buffer; readonly fd: number } | undefined;
  try {
    while (outcomes.length < directories.length && !stop.asked) {
      const siblings = siblingsFrom(directories, outcomes.length, target.isSlow ? SIBLINGS_AT_ONCE : 1);
      const path = Buffer.from(siblings[0].path);
      try {
        if (!parent?.path.equals(path)) {
          if (parent) await target.calls.close(parent.fd);
          parent = undefined;
          parent = { path, fd: await target.enter(siblings[0]) };
        }
      } catch (error) {
        outcomes.push(problemOf(joinPath(path, siblings[0].name), error));
        continue;
      }
      const { fd } = parent;
      // All of them have ended before the parent is closed.
      for (const ended of await Promise.allSettled(siblings.map((each) => restore(context, fd, each)))) {
        if (ended.status === 'rejected') throw ended.reason;
        outcomes.push(ended.value);
      }
      await reader.pause();
    }
  } catch (error) {
    broken = exportBreakage(error);
  } finally {
    if (parent) await target.calls.close(parent.fd);
    giveBack();
  }
  try {
    await target.flush();
  } catch (error) {
    outcomes = [];
    broken ??= exportBreakage(error);
  }
  return { outcomes, broken };
}

/** At most so many directories from the first one on that have its parent. */
function siblingsFrom(directories: readonly Directory[], first: number, most: number): readonly Directory[] {
  const path = Buffer.from(directories[first].path);
  let end = first + 1;
  while (end < directories.length && end < first + most && path.equals(directories[end].path)) end++;
  return directories.slice(first, end);
}

/**
 * Gives a directory its attributes. One in which nothing is recorded as done, and which is not there, is made again: nothing
 * has made it durable yet.
 *
 * @returns why it has not got them
 * @throws what ends the job
 */
async function restore(
  { target, files }: ExportContext,
  parent: number,
  { path: parentPath, filled, name, attributes, isFilled }: Directory,
): Promise<EntryProblem | undefined> {
  const path = joinPath(parentPath, name);
  const place = { path, filled: isFilled ? path.length : filled };
  const giveBack = await files.take();
  try {
    // The root is named from within itself.
    const shown = name.length === 0 ? Buffer.from('.') : Buffer.from(name);
    if (!isFilled && !(await target.look(parent, shown))) await target.calls.close(await target.enter(place));
    await target.note(place);
    try {
      await giveAttributesToDirectory(target.calls, parent, shown, unpackAttributes(attributes));
    } catch (error) {
      throw isFilled ? target.goneError(path, error) : error;
    }
    return undefined;
  } catch (error) {
    return problemOf(path, error);
  } finally {
    giveBack();
  }
}
