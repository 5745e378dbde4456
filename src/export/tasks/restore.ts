import type { Breakage } from '../../engine/breakage.js';
import { unpackAttributes } from '../../format/packed-attributes.js';
import { joinPath } from '../../paths/join-path.js';
import { patiently } from '../../posix/descriptors.js';
import { giveAttributesToDirectory } from '../target/give-attributes.js';
import type { ExportContext } from './context.js';
import type { EntryProblem, RestoreResult, RestoreTask } from './kinds.js';
import { exportBreakage, problemOf } from './problem.js';

/** Gives directories their owner, mode and times. */
export async function restoreDirectories({ directories }: RestoreTask, context: ExportContext): Promise<RestoreResult> {
  const { target, stop, reader } = context;
  let outcomes: (EntryProblem | undefined)[] = [];
  let broken: Breakage | undefined;
  const giveBack = await context.directories.take();
  let parent: { readonly path: Buffer; readonly fd: number } | undefined;
  try {
    for (const directory of directories) {
      if (stop.asked) break;
      const { name } = directory;
      const path = Buffer.from(directory.path);
      try {
        if (!parent?.path.equals(path)) {
          if (parent) target.calls.close(parent.fd);
          parent = undefined;
          parent = { path, fd: await target.enter(path) };
        }
        await restore(context, parent.fd, joinPath(path, name), directory);
        outcomes.push(undefined);
      } catch (error) {
        outcomes.push(problemOf(joinPath(path, name), error));
      }
      await reader.pause();
    }
  } catch (error) {
    broken = exportBreakage(error);
  } finally {
    if (parent) target.calls.close(parent.fd);
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

/**
 * Gives a directory its attributes. One that has no entries and is not there is made again: nothing has made it durable
 * yet.
 */
async function restore(
  { target }: ExportContext,
  parent: number,
  path: Buffer,
  { name, attributes, isEmpty }: RestoreTask['directories'][number],
): Promise<void> {
  // The root is named from within itself.
  const shown = name.length === 0 ? Buffer.from('.') : Buffer.from(name);
  if (isEmpty && !target.look(parent, shown)) target.calls.close(await target.enter(path));
  await patiently(shown.toString(), () =>
    giveAttributesToDirectory(target.calls, parent, shown, unpackAttributes(attributes)),
  );
}
