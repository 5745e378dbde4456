import { setImmediate } from 'node:timers/promises';
import type { PartSink } from '../engine/kinds.js';
import { hash64Hex } from '../format/hash.js';
import { type EntryType, targetManagerOf } from '../format/ids.js';
import { encodeObjectNameHashed, FIRST_VERSION } from '../format/names.js';
import { joinPath } from '../paths/join-path.js';
import type { AsyncSourceDirectory, SourceDirectory } from '../source/source-tree.js';
import type { SourceTurn } from '../source/source-turns.js';
import { buildEntry, buildEntryAsync } from './build-entry.js';
import { ChunkInProgress } from './chunk-in-progress.js';
import { openDirectory, type WorkContext } from './context.js';
import type { Item } from './item.js';
import { unpackEntries } from './packed-entries.js';
import { ReadsUnderWay } from './reads-under-way.js';
import type { FilesPart, FilesResult, FilesTask } from './tasks.js';

/** Entries after which answers of the service get their turn. */
const TURN_ENTRIES = 8;

/**
 * Loads the entries of a chunk; of a large file it reports only that it is one.
 *
 * They are read one after another, or many at once where the source is slow: {@link SourcePace} says which. Either way an
 * entry counts as begun before anything of it is put.
 */
export async function loadFiles(
  task: FilesTask,
  context: WorkContext,
  tell: PartSink<FilesPart>,
): Promise<FilesResult> {
  const { places, pace, stop } = context;
  const chunk = new ChunkInProgress(task.count, context, tell);
  const giveBack = places.tryTake() ?? (await places.take());
  const path = Buffer.from(task.place.path);
  const itemOf = itemMaker(task, context);
  const reads = new ReadsUnderWay(context, path);
  let directory: SourceDirectory | undefined;
  let unusable: unknown;
  let endReports: (() => Promise<void>) | undefined;
  try {
    directory = await openForChunk(task, path, context);
  } catch (error) {
    unusable = error;
  }
  try {
    const probes = pace.begin();
    for (const { index, type, name } of unpackEntries(task.entries)) {
      if (index % TURN_ENTRIES === TURN_ENTRIES - 1) await setImmediate();
      // A file may take seconds, since it is large, or changes all the time.
      if (chunk.isReportDue) await chunk.report();
      const async = pace.isAsync && !(probes && index === 0) ? directory?.async : undefined;
      if (async) endReports ??= chunk.reportMeanwhile();
      const turn = async && (await reads.enter(name));
      if (stop.asked || chunk.broken) {
        turn?.end();
        break;
      }
      chunk.begun = index + 1;
      const item = itemOf(index, type, name);
      if (async && turn) void readEntry(async, index, item, chunk, context, turn);
      else if (directory) await loadEntry(directory, index, item, chunk, context);
      else chunk.fail(index, unusable);
    }
  } finally {
    // Whatever is under way uses the directory.
    reads.whenNone(() => {
      directory?.close();
      giveBack();
    });
    await endReports?.();
  }
  return chunk.end();
}

async function openForChunk(task: FilesTask, path: Buffer, context: WorkContext): Promise<SourceDirectory> {
  const open = () => openDirectory(context, path, task.place);
  try {
    return await open();
  } catch (error) {
    return context.outage.again(path, error, open);
  }
}

function itemMaker(task: FilesTask, { ids, constants }: WorkContext) {
  const directoryHandle = Buffer.from(task.directoryHandle);
  const ownerHash = hash64Hex(directoryHandle);
  const manager = targetManagerOf(directoryHandle);
  const backPointers = [directoryHandle];
  const sourcePath = task.place.path;
  const hasManifest = constants.spec.manifest !== undefined;
  return (index: number, type: EntryType, name: Buffer): Item => {
    const sequence = task.firstSequence + index;
    const handle = ids.handle(sequence, type, manager, manager);
    return {
      sequence,
      type,
      handle,
      backPointers,
      name,
      sourceName: name,
      sourcePath,
      objectName: encodeObjectNameHashed(handle, type, ownerHash, FIRST_VERSION),
      generation: 0,
      paths: hasManifest ? [joinPath(sourcePath, name)] : undefined,
    };
  };
}

/** Reads an entry synchronously, and sends it. */
async function loadEntry(
  directory: SourceDirectory,
  index: number,
  item: Item,
  chunk: ChunkInProgress,
  context: WorkContext,
): Promise<void> {
  const build = () => buildEntry(directory, item, context);
  try {
    const built = await build();
    context.outage.succeeded(item.sourcePath);
    chunk.take(index, item, built);
  } catch (error) {
    await context.outage.again(item.sourcePath, error, build).then(
      (built) => chunk.take(index, item, built),
      (failure: unknown) => chunk.fail(index, failure),
    );
  }
}

/** Reads an entry by calls that leave the lane free, and sends it. Ends its turn, and never rejects. */
async function readEntry(
  directory: AsyncSourceDirectory,
  index: number,
  item: Item,
  chunk: ChunkInProgress,
  context: WorkContext,
  turn: SourceTurn,
): Promise<void> {
  const build = () => buildEntryAsync(directory, item, context, turn);
  const buildAgain = async () => {
    await turn.resume();
    return build().finally(turn.pause);
  };
  chunk.beginRead();
  try {
    const built = await build();
    context.outage.succeeded(item.sourcePath);
    chunk.take(index, item, built);
  } catch (error) {
    // Until its next try.
    turn.pause();
    await context.outage.again(item.sourcePath, error, buildAgain).then(
      (built) => chunk.take(index, item, built),
      (failure: unknown) => chunk.fail(index, failure),
    );
  } finally {
    turn.end();
    chunk.endRead();
  }
}
