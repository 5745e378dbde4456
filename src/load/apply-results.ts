import { fileBlockCount } from '../format/geometry.js';
import { ObjectType } from '../format/ids.js';
import { encodeObjectName, FIRST_VERSION } from '../format/names.js';
import type { ChunkRecord } from '../state/chunks.js';
import type { LargeRecord } from '../state/large-files.js';
import type { LinkGroupRecord, LinkRecord } from '../state/link-groups.js';
import { escapePath } from '../text/escape-path.js';
import { unpackAttributes } from '../worker/file-attributes.js';
import { unpackEntries } from '../worker/packed-entries.js';
import type { DirectoryResult, EntryProblem, FilesResult, LargeResult } from '../worker/tasks.js';
import type { JobContext } from './job-context.js';
import { recordFailure } from './record-failure.js';

/** Tries of a large file that keeps changing. */
const MOST_LARGE_ATTEMPTS = 3;
/** Generation 0 is that of files of one segment, which are written without a record of their own. */
const FIRST_LARGE_GENERATION = 1;

/** Records what became of a chunk; inside a transaction. @returns files that are to be loaded piece by piece */
export function applyChunk(context: JobContext, chunk: ChunkRecord, result: FilesResult): readonly LargeRecord[] {
  const { state } = context;
  const names = result.failures.length + result.large.length + result.warnings.length > 0 ? [...unpackEntries(chunk.entries)] : [];
  for (const failure of result.failures) {
    const { name, type } = names[failure.index];
    state.chunks.exclude(chunk.id, failure.index);
    recordFailure(context, { kind: 'entry', directory: chunk.directory, name, type, ...failure });
  }
  const large = result.large.map((finding) =>
    state.large.add({
      origin: { chunk: chunk.id, entry: finding.index },
      directory: chunk.directory,
      sourceName: names[finding.index].name,
      sequence: chunk.firstSequence + finding.index,
      generation: FIRST_LARGE_GENERATION,
      attempts: 1,
      attributes: finding.attributes,
      blocks: fileBlockCount(finding.sizeBytes, context.constants.geometry),
    }),
  );
  for (const { index, text } of result.warnings) context.log.write('WARNING', `${escapePath(context.entryPath(chunk.directory, names[index].name))}: ${text}`);
  for (const name of result.leftovers) state.leftovers.add({ name });
  state.chunks.finish(chunk.id);
  context.manifest?.append(result.manifest);
  countDone(context, result.done, result.bytes);
  state.directories.addPending(chunk.directory, large.length - 1);
  return large;
}

/** Records what became of a linked inode; inside a transaction. */
export function applyLinked(context: JobContext, group: LinkGroupRecord, links: readonly LinkRecord[], result: FilesResult): LargeRecord | undefined {
  const { state } = context;
  context.manifest?.append(result.manifest);
  for (const name of result.leftovers) state.leftovers.add({ name });
  for (const { text } of result.warnings) context.log.write('WARNING', `${escapePath(context.entryPath(links[0].directory, links[0].name))}: ${text}`);
  const [failure] = result.failures;
  if (failure) {
    failGroup(context, group, failure);
    return undefined;
  }
  const [finding] = result.large;
  if (finding) {
    const link = links[finding.candidate];
    const generation = group.generation + 1;
    state.links.setGeneration(group.id, generation);
    return state.large.add({
      origin: { group: group.id },
      directory: link.directory,
      sourceName: link.name,
      sequence: group.sequence,
      generation,
      attempts: 1,
      attributes: finding.attributes,
      blocks: fileBlockCount(finding.sizeBytes, context.constants.geometry),
    });
  }
  const { firstSegmentBytes } = context.constants.geometry;
  groupWritten(context, group, group.generation, group.type === ObjectType.regular && result.bytes > firstSegmentBytes ? 2 : 1);
  countDone(context, group.former ? 0 : result.done, group.former ? 0 : result.bytes);
  return undefined;
}

/** A range of segments is at the service; inside a transaction. */
export function applySegments(context: JobContext, large: LargeRecord, grownBlocks: number, doneBlocks: number): void {
  if (grownBlocks === 0) return;
  context.state.large.setDone(large.id, doneBlocks);
  countDone(context, 0, segmentBytes(context, large, doneBlocks) - segmentBytes(context, large, doneBlocks - grownBlocks));
}

/** The inode of a large file is there; inside a transaction. */
export function applyLargeDone(context: JobContext, large: LargeRecord, { bytes, manifest }: LargeResult): void {
  const { state } = context;
  context.manifest?.append(manifest);
  state.large.delete(large.id);
  if (large.origin.chunk !== undefined) {
    countDone(context, 1, bytes);
    state.directories.addPending(large.directory, -1);
    return;
  }
  const group = state.links.get(large.origin.group);
  groupWritten(context, group, large.generation, large.blocks);
  countDone(context, group.former ? 0 : 1, bytes);
}

/**
 * A large file could not be read on; inside a transaction.
 *
 * @returns the record to begin anew with, in a new generation; undefined when the file has failed
 */
export function applyLargeFailure(context: JobContext, large: LargeRecord, doneBlocks: number, problem: EntryProblem): LargeRecord | undefined {
  const { state } = context;
  const file = context.largeFile(large);
  state.leftovers.add({ owner: file.handle, sequence: large.sequence, generation: large.generation, blocks: large.blocks });
  countDone(context, 0, -segmentBytes(context, large, doneBlocks));
  state.large.delete(large.id);
  if (problem.reason === 'entry-changed' && large.attempts < MOST_LARGE_ATTEMPTS) {
    const generation = large.generation + 1;
    if (large.origin.chunk === undefined) state.links.setGeneration(large.origin.group, generation);
    return state.large.add({ ...large, generation, attempts: large.attempts + 1, blocks: 0 });
  }
  const attempts = large.attempts;
  if (large.origin.chunk === undefined) {
    failGroup(context, state.links.get(large.origin.group), { ...problem, attempts });
    return undefined;
  }
  state.chunks.exclude(large.origin.chunk, large.origin.entry);
  recordFailure(context, { kind: 'entry', directory: large.directory, name: large.sourceName, type: ObjectType.regular, ...problem, attempts });
  state.directories.addPending(large.directory, -1);
  return undefined;
}

/** What a large file that had changed is now; inside a transaction. @returns the record to go on with, when it still is large */
export function applyExamined(context: JobContext, large: LargeRecord, result: FilesResult): LargeRecord | undefined {
  const { state } = context;
  const [finding] = result.large;
  const [failure] = result.failures;
  state.large.delete(large.id);
  context.manifest?.append(result.manifest);
  for (const name of result.leftovers) state.leftovers.add({ name });
  if (finding) return state.large.add({ ...large, attributes: finding.attributes, blocks: fileBlockCount(finding.sizeBytes, context.constants.geometry) });
  if (large.origin.chunk === undefined) {
    const group = state.links.get(large.origin.group);
    if (failure) failGroup(context, group, failure);
    else {
      groupWritten(context, group, large.generation, result.bytes > context.constants.geometry.firstSegmentBytes ? 2 : 1);
      countDone(context, group.former ? 0 : 1, result.bytes);
    }
    return undefined;
  }
  if (failure) {
    state.chunks.exclude(large.origin.chunk, large.origin.entry);
    recordFailure(context, {
      kind: 'entry',
      directory: large.directory,
      name: large.sourceName,
      type: ObjectType.regular,
      ...failure,
      attempts: large.attempts,
    });
  } else countDone(context, 1, result.bytes);
  state.directories.addPending(large.directory, -1);
  return undefined;
}

/** A directory's object is there; inside a transaction. */
export function applyDirectoryWritten(context: JobContext, id: number, result: DirectoryResult): void {
  const { state } = context;
  context.manifest?.append(result.manifest);
  const former = state.directories.former(id);
  const record = state.directories.get(id);
  const handle = context.directory(id).handle;
  if (former && former.revision !== record.revision) {
    const owner = record.parent === 0 ? handle : context.directory(record.parent).handle;
    state.leftovers.add({ name: encodeObjectName({ id: handle, type: ObjectType.directory, owner, version: FIRST_VERSION + former.revision }) });
    if (former.blocks > 1) state.leftovers.add({ owner: handle, sequence: record.sequence, generation: former.revision, blocks: former.blocks });
  }
  state.directories.setWritten(id, result.fill.block + 1);
  // What failed may be repaired later: then the whole directory is written again.
  if (!state.failures.inDirectory(id)) state.chunks.drop(id);
  if (!former) countDone(context, 1, 0);
}

function groupWritten(context: JobContext, group: LinkGroupRecord, generation: number, blocks: number): void {
  const { state } = context;
  if (group.former && group.former.revision !== group.revision) {
    const handle = context.groupHandle(group);
    const [first] = state.links.links(group.id);
    const owner = context.directory(first.directory).handle;
    state.leftovers.add({ name: encodeObjectName({ id: handle, type: group.type, owner, version: FIRST_VERSION + group.former.revision }) });
    if (group.former.blocks > 1)
      state.leftovers.add({ owner: handle, sequence: group.sequence, generation: group.former.generation, blocks: group.former.blocks });
  }
  state.links.setWritten(group.id, generation, blocks);
}

function failGroup(context: JobContext, group: LinkGroupRecord, problem: EntryProblem): void {
  if (group.former) {
    // The inode that is there stays as it is; only the names that a repair found for it are lost for now.
    for (const link of context.state.links.revert(group.id)) {
      recordFailure(context, { kind: 'link', directory: link.directory, name: link.name, type: group.type, group: group.id, ...problem });
    }
    return;
  }
  const [first] = context.state.links.links(group.id);
  context.state.links.setFailed(group.id);
  recordFailure(context, { kind: 'group', directory: first.directory, name: first.name, type: group.type, group: group.id, ...problem });
}

function countDone(context: JobContext, done: number, bytes: number): void {
  context.state.count(done, bytes);
  context.progress.done += done;
  context.progress.bytes += bytes;
}

/** Bytes in blocks 1 … `blocks` of a large file. */
function segmentBytes(context: JobContext, large: LargeRecord, blocks: number): number {
  if (blocks <= 0) return 0;
  const { firstSegmentBytes, fileSegmentBytes } = context.constants.geometry;
  const size = Number(unpackAttributes(large.attributes).lengthBytes);
  return Math.min(size - firstSegmentBytes, blocks * fileSegmentBytes);
}
