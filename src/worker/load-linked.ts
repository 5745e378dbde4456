import { Tally } from '../books/tally.js';
import { breakageOf } from '../engine/breakage.js';
import { isClfsError } from '../error.js';
import { ObjectType } from '../format/ids.js';
import { encodeObjectName } from '../format/names.js';
import { joinPath } from '../paths/join-path.js';
import type { SourceDirectory } from '../source/source-tree.js';
import { stopped } from './breakage.js';
import { buildEntry, checked, entryProblem, type Item } from './build-entry.js';
import { openPatiently, type WorkContext } from './context.js';
import { problemOf } from './problem.js';
import type { DirectoryPlace, EntryProblem, LinkedResult, LinkedTask } from './tasks.js';

/**
 * Loads an inode that has several links.
 *
 * All its names are looked at first: each must lead to the inode now, so that what is read is what each of them names.
 * Then it is read by the first name that can be opened.
 */
export async function loadLinked(task: LinkedTask, context: WorkContext): Promise<LinkedResult> {
  try {
    const problems = await confirmNames(task, context);
    const written = problems.filter(({ candidate }) => task.candidates[candidate].written);
    // A name that cannot be looked at now may lead to it all the same.
    const unknown = written.find(({ reason }) => reason === 'directory-unreadable' || reason === 'entry-unreadable');
    if (unknown) return { outcome: 'failed', problem: unknown };
    if (written.length > 0) return { outcome: 'apart' };
    if (problems.length > 0) return { outcome: 'names', problems };
    return await loadByAnyName(task, context);
  } catch (error) {
    return { outcome: 'broken', broken: breakageOf(error) };
  }
}

async function confirmNames(
  task: LinkedTask,
  context: WorkContext,
): Promise<readonly ({ readonly candidate: number } & EntryProblem)[]> {
  const problems: ({ readonly candidate: number } & EntryProblem)[] = [];
  const expected = { type: task.type, expectedInode: task.inode };
  for (const [candidate, { place, name }] of task.candidates.entries()) {
    if (context.stop.asked) throw stopped();
    try {
      await inDirectory(context, place, (directory) => checked(directory.attributesOf(Buffer.from(name)), expected));
    } catch (error) {
      problems.push({ candidate, ...problemOf(error, 1) });
    }
  }
  return problems;
}

async function loadByAnyName(task: LinkedTask, context: WorkContext): Promise<LinkedResult> {
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
    const item: Item = { ...task, handle, sourceName, objectName, expectedInode: task.inode, paths };
    try {
      return await inDirectory(context, place, async (directory) => {
        const built = await buildEntry(directory, item, context);
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
    }
  }
  if (!problem) throw new Error('A linked file has no name.');
  return { outcome: 'failed', problem };
}

async function inDirectory<T>(
  context: WorkContext,
  place: DirectoryPlace,
  use: (directory: SourceDirectory) => T | Promise<T>,
): Promise<T> {
  const giveBack = await context.places.take();
  try {
    const path = Buffer.from(place.path);
    const directory = await openPatiently(path, () => context.source.openDirectory(path, place));
    try {
      return await use(directory);
    } finally {
      directory.close();
    }
  } finally {
    giveBack();
  }
}
