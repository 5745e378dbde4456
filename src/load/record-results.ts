import { BitSet } from '../books/bit-set.js';
import { Tally } from '../books/tally.js';
import { fileBlockCount } from '../format/geometry.js';
import { ObjectType } from '../format/ids.js';
import { unpackAttributes } from '../format/packed-attributes.js';
import type { ChunkRecord } from '../state/chunks.js';
import type { LargeRecord } from '../state/large-files.js';
import type { LinkGroupRecord, LinkRecord } from '../state/link-groups.js';
import { escapePath } from '../text/escape-path.js';
import { unpackEntries } from '../worker/packed-entries.js';
import type {
  EntryProblem,
  FilesPart,
  FilesResult,
  FinishLargeResult,
  LinkedResult,
  SegmentsPart,
} from '../worker/tasks.js';
import type { JobContext } from './job-context.js';
import { recordFailure } from './record-failure.js';
import { endChunk, giveUpLarge, supersedeDirectory, supersedeLinked, tryLargeAgain } from './tries.js';

/** Tries of a large file that keeps changing. */
const MOST_LARGE_ATTEMPTS = 3;

/** A chunk under way: which of its entries are acknowledged, and recorded as such. */
export interface ChunkUnderWay extends ChunkRecord {
  readonly acknowledged: BitSet;
}

export function chunkUnderWay(chunk: ChunkRecord): ChunkUnderWay {
  return { ...chunk, acknowledged: new BitSet(chunk.count) };
}

/** Records entries that are at the service while others of their chunk are under way; inside a transaction. */
export function recordFilesPart(context: JobContext, chunk: ChunkUnderWay, part: FilesPart): void {
  acknowledge(context, chunk, part);
  context.state.chunks.acknowledge(chunk.id, chunk.acknowledged);
}

function acknowledge(context: JobContext, chunk: ChunkUnderWay, part: FilesPart): void {
  if (context.log.includes('DEBUG')) tellLoaded(context, chunk, part);
  chunk.acknowledged.addAll(part.acknowledged);
  const tally = Tally.decode(part.tally);
  context.state.addObjects(tally);
  context.state.directories.addEntryObjects(chunk.directory, tally);
  context.state.count(part.done, part.bytes);
  context.census.add(chunk.directory, part.counts, part.done, part.bytes);
  context.manifest?.append(part.manifest);
}

/** Before they are recorded: which of them are new can be told. */
function tellLoaded(context: JobContext, chunk: ChunkUnderWay, part: FilesPart): void {
  const now = new BitSet(chunk.count);
  now.addAll(part.acknowledged);
  [...unpackEntries(chunk.entries)].forEach(({ name }, index) => {
    if (now.has(index) && !chunk.acknowledged.has(index)) tell(context, chunk.directory, name, 'loaded');
  });
}

function tell(context: JobContext, directory: number, name: Uint8Array, what: string): void {
  if (!context.log.includes('DEBUG')) return;
  context.log.write('DEBUG', `${what}: ${escapePath(context.entryPath(directory, name)) || '.'}`);
}

/** Records what became of a chunk; inside a transaction. @returns files that are to be loaded piece by piece */
export function recordFiles(context: JobContext, chunk: ChunkUnderWay, result: FilesResult): readonly LargeRecord[] {
  const { state } = context;
  acknowledge(context, chunk, result);
  const { failures, warnings, begun } = result;
  const names = failures.length + result.large.length + warnings.length > 0 ? [...unpackEntries(chunk.entries)] : [];
  for (const { index, ...problem } of failures) {
    const { name, type } = names[index];
    recordFailure(context, { directory: chunk.directory, name, type, ...problem });
  }
  const large = result.large.map(({ index, attributes, sizeBytes }) =>
    state.large.add({
      origin: { chunk: chunk.id, entry: index },
      directory: chunk.directory,
      sourceName: names[index].name,
      sequence: chunk.firstSequence + index,
      generation: 0,
      attempts: chunk.attempts + 1,
      attributes,
      blocks: fileBlockCount(sizeBytes, context.constants.geometry),
    }),
  );
  for (const { index, text } of warnings) warn(context, chunk.directory, names[index].name, text);
  const ended = { failed: failures.map(({ index }) => index), large: result.large.map(({ index }) => index), begun };
  endChunk(context, chunk, ended);
  return large;
}

/** Records what became of a linked inode; inside a transaction. @returns a file that is to be loaded piece by piece */
export function recordLinked(
  context: JobContext,
  group: LinkGroupRecord,
  links: readonly LinkRecord[],
  result: LinkedResult,
): LargeRecord | undefined {
  const { state } = context;
  switch (result.outcome) {
    case 'written': {
      context.manifest?.append(result.manifest);
      for (const text of result.warnings) warn(context, links[0].directory, links[0].name, text);
      recordLinkedWritten(context, group, links[0].directory, result, Tally.decode(result.tally));
      for (const { directory, name } of links) tell(context, directory, name, 'loaded as a hard link');
      return undefined;
    }
    case 'large': {
      const { directory, name } = links[result.candidate];
      for (const text of result.warnings) warn(context, links[0].directory, links[0].name, text);
      return state.large.add({
        origin: { group: group.id },
        directory,
        sourceName: name,
        sequence: group.sequence,
        generation: group.revision,
        attempts: group.attempts + 1,
        attributes: result.attributes,
        blocks: fileBlockCount(result.sizeBytes, context.constants.geometry),
      });
    }
    case 'names':
      dropNames(context, group, links, result.problems);
      return undefined;
    case 'apart':
      for (const { directory, name, written } of links) {
        if (!written)
          warn(
            context,
            directory,
            name,
            'it cannot be shown to be a link of a file that is loaded already: it becomes a copy of its own',
          );
      }
      state.links.separate(group);
      state.links.keep(group.id);
      return undefined;
    case 'failed':
      failLinked(context, group, result.problem);
      return undefined;
    case 'broken':
      // It stays claimed: the next session gives it up as a lost try.
      return undefined;
  }
}

/**
 * Names that do not lead to the inode any more are failures of their own; the others go on without them. Inside a
 * transaction.
 */
export function dropNames(
  context: JobContext,
  group: LinkGroupRecord,
  links: readonly LinkRecord[],
  problems: readonly ({ readonly candidate: number } & EntryProblem)[],
): void {
  const { links: groups } = context.state;
  for (const { candidate, ...problem } of problems) {
    const { id, directory, name } = links[candidate];
    groups.deleteLink(id);
    recordFailure(context, { directory, name, type: group.type, ...problem });
  }
  const left = groups.links(group.id);
  if (left.some(({ written }) => !written)) groups.again(group.id, group.attempts);
  else if (group.written) groups.keep(group.id);
  else groups.delete(group.id);
}

/** The names of a linked inode that cannot be read are failures; of what counts in the container nothing changes. */
function failLinked(context: JobContext, group: LinkGroupRecord, problem: EntryProblem): void {
  const { links: groups } = context.state;
  let further = false;
  for (const { id, directory, name, written } of groups.links(group.id)) {
    if (written) continue;
    groups.deleteLink(id);
    recordFailure(context, { directory, name, type: group.type, ...problem, further });
    further = true;
  }
  if (group.written) groups.keep(group.id);
  else groups.delete(group.id);
}

/** An inode that is written again may have another size: the bytes that are counted are those of what counts. */
function recordLinkedWritten(
  context: JobContext,
  group: LinkGroupRecord,
  directory: number,
  { blocks, bytes }: { readonly blocks: number; readonly bytes: number },
  tally: Tally,
): void {
  const { state } = context;
  supersedeLinked(context, group);
  state.addObjects(tally);
  if (group.written) state.count(0, bytes - (group.written.bytes ?? bytes));
  else {
    state.count(1, bytes);
    context.census.addOne(directory, group.type, group.type === ObjectType.regular ? bytes : undefined);
  }
  const name = context.groupName(group);
  state.links.setWritten(group.id, { name, generation: group.revision, blocks, bytes, tally: tally.encode() });
}

/** Records segments that are at the service, in any order: each counts once, from here on; inside a transaction. */
export function recordSegments(context: JobContext, large: LargeRecord, { blocks }: SegmentsPart): LargeRecord {
  const fresh = blocks.filter(({ block }) => !large.done.has(block));
  if (fresh.length === 0) return large;
  const { state } = context;
  const tally = new Tally();
  for (const one of fresh) tally.plus(Tally.decode(one.tally));
  state.addObjects(tally);
  tally.plus(Tally.decode(large.tally));
  const done = large.done.plus(fresh.map(({ block }) => block));
  const recorded = { ...large, done, tally: tally.encode() };
  state.large.setDone(large.id, done, recorded.tally);
  state.count(0, context.segmentBytes(recorded) - context.segmentBytes(large));
  return recorded;
}

/** The inode of a large file is there; inside a transaction. */
export function recordLargeDone(context: JobContext, large: LargeRecord, result: FinishLargeResult): void {
  const { state } = context;
  context.manifest?.append(result.manifest);
  state.large.delete(large.id);
  tell(context, large.directory, large.sourceName, `loaded in ${large.blocks} blocks`);
  const tally = Tally.decode(result.tally);
  if (large.origin.chunk !== undefined) {
    state.addObjects(tally);
    tally.plus(Tally.decode(large.tally));
    state.directories.addEntryObjects(large.directory, tally);
    state.count(1, result.bytes);
    context.census.addOne(large.directory, ObjectType.regular, Number(unpackAttributes(large.attributes).lengthBytes));
    state.directoryLife.addPending(large.directory, -1);
    return;
  }
  const segments = Tally.decode(large.tally);
  state.removeObjects(segments);
  state.count(0, -context.segmentBytes(large));
  tally.plus(segments);
  const bytes = Number(unpackAttributes(large.attributes).lengthBytes);
  const group = state.links.get(large.origin.group);
  recordLinkedWritten(context, group, large.directory, { blocks: large.blocks, bytes }, tally);
}

/** A large file could not be read on: it is tried anew a few times, then it has failed; inside a transaction. */
export function recordLargeFailure(context: JobContext, large: LargeRecord, problem: EntryProblem): void {
  const { state } = context;
  giveUpLarge(context, large);
  if (problem.reason === 'entry-changed' && large.attempts < MOST_LARGE_ATTEMPTS) {
    tell(context, large.directory, large.sourceName, 'changed while it was read, and is tried again');
    tryLargeAgain(context, large, large.attempts);
    return;
  }
  const { attempts } = large;
  if (large.origin.chunk === undefined) {
    failLinked(context, state.links.get(large.origin.group), { ...problem, attempts });
    return;
  }
  state.chunks.leaveOut(large.origin.chunk, large.origin.entry);
  const { directory, sourceName: name } = large;
  recordFailure(context, { directory, name, type: ObjectType.regular, ...problem, attempts });
  state.directoryLife.addPending(directory, -1);
}

/** A directory's object is there; inside a transaction. @param tally of all its objects */
export function recordDirectoryWritten(context: JobContext, id: number, blocks: number, tally: Tally): void {
  const { state } = context;
  const record = state.directories.get(id);
  const before = state.directoryLife.written(id);
  if (before) supersedeDirectory(context, record, before);
  state.addObjects(tally);
  state.directoryLife.setWritten(id, blocks, tally.encode());
  // What failed in it may be repaired later: then the whole directory is written again.
  if (!state.failures.inDirectory(id)) state.chunks.drop(id);
  if (!before) {
    state.count(1, 0);
    context.census.addOne(record.parent, ObjectType.directory, undefined);
  }
  tell(context, record.parent, record.name, before ? 'directory written again' : 'directory written');
}

function warn(context: JobContext, directory: number, name: Uint8Array, text: string): void {
  context.log.write('WARNING', `${escapePath(context.entryPath(directory, name))}: ${text}`);
}
