import { setImmediate } from 'node:timers/promises';
import { ClfsError } from '../error.js';
import { ObjectType } from '../format/ids.js';
import type { FailureReason, ListedEntry, SourceAttributes, SourceDirectory } from '../source/source-tree.js';
import type { WorkContext } from './context.js';
import { hasClampedTime, isUnchanged, packAttributes, toAttributes } from './file-attributes.js';
import { EntryPacker } from './packed-entries.js';
import { problemOf } from './problem.js';
import type { ListPart, ListResult, ListTask, TaskSink } from './tasks.js';

/** Entries that go to a thread, and are marked in the state, together. */
const CHUNK_ENTRIES = 256;
/** Entries after which a long listing is handed on and others get their turn. */
const PART_ENTRIES = 8192;
const MOST_ATTEMPTS = 3;

/** Lists a directory; again from the start, a few times, when it changes meanwhile. */
export async function listDirectory(task: ListTask, context: WorkContext, sink: TaskSink): Promise<ListResult> {
  let directory: SourceDirectory | undefined;
  try {
    directory = context.source.openDirectory(Buffer.from(task.place.path), task.place);
    let before = directory.attributes();
    for (let attempt = 1; ; attempt++) {
      const complete = await listOnce(directory, context, sink, attempt > 1, attempt === MOST_ATTEMPTS);
      const after = directory.attributes();
      if ((complete && isUnchanged(before, after)) || attempt === MOST_ATTEMPTS) {
        const attributes = packAttributes(toAttributes(after, context.constants, 0, 0));
        return { kind: 'list', attributes, device: after.device, clampedTimes: hasClampedTime(after), failure: undefined };
      }
      before = after;
    }
  } catch (error) {
    return { kind: 'list', attributes: new Uint8Array(0), device: '', clampedTimes: false, failure: problemOf(error, 1) };
  } finally {
    directory?.close();
  }
}

/** @returns false when an entry vanished under the listing */
async function listOnce(directory: SourceDirectory, context: WorkContext, sink: TaskSink, restart: boolean, reportVanished: boolean): Promise<boolean> {
  const { preserveHardLinks } = context.constants;
  const packer = new EntryPacker();
  let part = new PartBuilder(restart);
  let complete = true;
  for (const batch of directory.list()) {
    for (const entry of batch) {
      if (entry.excluded) {
        part.excluded++;
        continue;
      }
      const look = entry.type === undefined || entry.type === ObjectType.directory || preserveHardLinks;
      const attributes = look ? lookAt(directory, entry) : undefined;
      if (attributes instanceof ClfsError) {
        if (attributes.reason === 'entry-vanished' && !reportVanished) complete = false;
        else
          part.failures.push({
            name: entry.name,
            type: entry.type ?? ObjectType.regular,
            reason: attributes.reason as FailureReason,
            message: attributes.message,
          });
        continue;
      }
      const type = attributes?.type ?? entry.type ?? ObjectType.regular;
      if (attributes && type === ObjectType.directory) part.directories.push({ name: entry.name, device: attributes.device, inode: attributes.inode });
      else if (attributes && preserveHardLinks && attributes.linkCount > 1) {
        part.links.push({ name: entry.name, type, device: attributes.device, inode: attributes.inode, linkCount: attributes.linkCount });
      } else packer.add(type, entry.name);
      if (packer.count === CHUNK_ENTRIES) part.chunks.push(packer.take());
      part.entries++;
    }
    if (part.entries >= PART_ENTRIES) {
      sink.part(part);
      part = new PartBuilder(false);
      await setImmediate();
    }
  }
  if (packer.count > 0) part.chunks.push(packer.take());
  if (part.entries > 0 || part.failures.length > 0 || part.excluded > 0 || part.restart) sink.part(part);
  return complete;
}

class PartBuilder implements ListPart {
  readonly restart: boolean;
  readonly chunks: { count: number; entries: Uint8Array }[] = [];
  readonly directories: ListPart['directories'][number][] = [];
  readonly links: ListPart['links'][number][] = [];
  readonly failures: ListPart['failures'][number][] = [];
  excluded = 0;
  entries = 0;

  constructor(restart: boolean) {
    this.restart = restart;
  }
}

function lookAt(directory: SourceDirectory, entry: ListedEntry): SourceAttributes | ClfsError {
  try {
    return directory.attributesOf(entry.name);
  } catch (error) {
    if (error instanceof ClfsError && error.code === 'entry') return error;
    throw error;
  }
}
