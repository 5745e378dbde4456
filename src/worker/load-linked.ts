import { Tally } from '../books/tally.js';
import { breakageOf } from '../engine/breakage.js';
import { isClfsError } from '../error.js';
import { ObjectType } from '../format/ids.js';
import { encodeObjectName } from '../format/names.js';
import { joinPath } from '../paths/join-path.js';
import type { SourceAttributes, SourceDirectory } from '../source/source-tree.js';
import { stopped } from './breakage.js';
import { buildEntry, buildEntryAsync } from './build-entry.js';
import { inDirectory, type WorkContext } from './context.js';
import { checked, entryProblem, type Item, MOST_ATTEMPTS } from './item.js';
import { problemOf } from './problem.js';
import { changesTooOften, lookUntilSettled } from './settled-looks.js';
import type { DirectoryPlace, EntryProblem, LinkedResult, LinkedTask } from './tasks.js';

/**
 * Loads an inode that has several links.
 *
 * All its names are looked at first: each must lead to the inode. Then it is read by the first name that can be opened,
 * and must be as it was at each of these looks. A name that is taken away or given to the inode changes its ctime: so
 * what is read is what each name led to, all at one time. When it changed, all that is done again, a few times.
 */
export async function loadLinked(task: LinkedTask, context: WorkContext): Promise<LinkedResult> {
  try {
    for (let attempt = 1; ; attempt++) {
      const result = await loadOnce(task, context);
      if (result.outcome !== 'failed' || result.problem.reason !== 'entry-changed' || attempt === MOST_ATTEMPTS)
        return result;
    }
  } catch (error) {
    if (isClfsError(error, 'entry')) return { outcome: 'failed', problem: problemOf(error, MOST_ATTEMPTS) };
    return { outcome: 'broken', broken: breakageOf(error) };
  }
}

async function loadOnce(task: LinkedTask, context: WorkContext): Promise<LinkedResult> {
  const { problems, confirmed } = await confirmNames(task, context);
  const written = problems.filter(({ candidate }) => task.candidates[candidate].written);
  // A name that cannot be looked at now may lead to it all the same.
  const unknown = written.find(({ reason }) => reason === 'directory-unreadable' || reason === 'entry-unreadable');
  if (unknown) return { outcome: 'failed', problem: unknown };
  if (written.length > 0) return { outcome: 'apart' };
  if (problems.length > 0) return { outcome: 'names', problems };
  return loadByAnyName(task, context, confirmed);
}

type NameProblem = { readonly candidate: number } & EntryProblem;

/** @throws ClfsError `entry` when the inode changes all the time, which tells nothing of its names */
async function confirmNames(
  task: LinkedTask,
  context: WorkContext,
): Promise<{ readonly problems: readonly NameProblem[]; readonly confirmed: SourceAttributes | undefined }> {
  const problems: NameProblem[] = [];
  let confirmed: SourceAttributes | undefined;
  let isSettled = true;
  const expected = { type: task.type, expectedInode: task.inode };
  for (const [candidate, { place, name }] of task.candidates.entries()) {
    if (context.stop.asked) throw stopped();
    try {
      const look = async () => {
        const found = await inDirectory(context, place, (directory) =>
          lookAt(directory, place, Buffer.from(name), context),
        );
        return checked(found, expected);
      };
      // The first look counts: when the inode was another one at a later look, it is another one when it is read.
      if (confirmed) await look();
      else ({ seen: confirmed, isSettled } = await lookUntilSettled(context, look));
    } catch (error) {
      problems.push({ candidate, ...problemOf(error, 1) });
    }
    if (!isSettled) throw changesTooOften();
  }
  return { problems, confirmed };
}

async function loadByAnyName(
  task: LinkedTask,
  context: WorkContext,
  confirmed: SourceAttributes | undefined,
): Promise<LinkedResult> {
  const handle = Buffer.from(task.handle);
  const { type, version, backPointers } = task;
  const objectName = encodeObjectName({ id: handle, type, owner: backPointers[0], version });
  const paths =
    context.constants.spec.manifest !== undefined
      ? task.candidates.map(({ place, name }) => joinPath(place.path, name))
      : undefined;
  let problem: EntryProblem | undefined;
  for (const [candidate, { place, name }] of task.candidates.entries()) {
    const sourceName = Buffer.from(name);
    const item: Item = {
      ...task,
      handle,
      sourceName,
      sourcePath: place.path,
      objectName,
      expectedInode: task.inode,
      confirmed,
      paths,
    };
    try {
      return await inDirectory(context, place, async (directory) => {
        const built = await build(directory, item, context);
        if (built.kind === 'large') {
          const { attributes, sizeBytes, warnings } = built;
          return { outcome: 'large', candidate, attributes, sizeBytes, warnings };
        }
        const { inode, segment, bytes, manifest, warnings } = built;
        const tally = new Tally();
        tally.add(type, objectName, inode.storedBytes);
        if (segment) tally.add(ObjectType.segment, segment.name, segment.draft.storedBytes);
        const puts = [inode.send(objectName), ...(segment ? [segment.draft.send(segment.name)] : [])];
        await Promise.allSettled(puts);
        await Promise.all(puts);
        await context.container.flush();
        const blocks = segment ? 2 : 1;
        return { outcome: 'written', bytes, blocks, tally: tally.encode(), warnings, manifest };
      });
    } catch (error) {
      if (!isClfsError(error, 'entry')) throw error;
      const { reason, message } = problemOf(error, 1);
      problem ??= { ...entryProblem(reason, message), attempts: task.candidates.length };
      // It has changed by whatever name it is opened.
      if (reason === 'entry-changed') return { outcome: 'failed', problem: { ...problem, reason, message } };
    }
  }
  if (!problem) throw new Error('A linked file has no name.');
  return { outcome: 'failed', problem };
}

/** lstat of a name, in the way of calling that the lane has now. */
function lookAt(directory: SourceDirectory, place: DirectoryPlace, name: Buffer, context: WorkContext) {
  const async = context.pace.isAsync ? directory.async : undefined;
  if (!async) return directory.attributesOf(name);
  return context.pace.during(place.path, name, () => async.attributesOf(name));
}

function build(directory: SourceDirectory, item: Item, context: WorkContext) {
  const async = context.pace.isAsync ? directory.async : undefined;
  if (!async) return buildEntry(directory, item, context);
  return context.pace.during(item.sourcePath, item.sourceName, (turn) => buildEntryAsync(async, item, context, turn));
}
