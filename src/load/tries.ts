import { Tally } from '../books/tally.js';
import { type LossRecord, NO_LOSSES } from '../engine/work.js';
import { directoryPieceCapacity } from '../format/dirents.js';
import { ObjectType } from '../format/ids.js';
import { decodeObjectName, FIRST_VERSION } from '../format/names.js';
import type { OpenChunk } from '../state/chunks.js';
import { type DirectoryRecord, ROOT_DIRECTORY } from '../state/directories.js';
import type { WrittenDirectory } from '../state/directory-life.js';
import type { LargeRecord } from '../state/large-files.js';
import type { LeftoverOwner } from '../state/leftovers.js';
import type { LinkGroupRecord, WrittenGroup } from '../state/link-groups.js';
import { CHUNK_ENTRIES, EntryPacker, type PackedEntry, unpackEntries } from '../worker/packed-entries.js';
import type { JobContext } from './job-context.js';

/*
 * The rule of names, in one place.
 *
 * A try reads something of the source, builds objects and puts them. Its names are a function of (sequence number,
 * revision), and:
 *
 *   1. A claim takes names that nobody has had. An entry of a chunk: a new sequence number, so a new handle. A linked
 *      inode of which nothing counts: likewise. A directory, and a linked inode that counts: the next revision.
 *   2. Only an acknowledgement that is recorded makes names count. Sending the same buffer again, after a lost answer,
 *      uses the same name.
 *   3. What a try may have put and what does not count is a left-over, described by the ranges of the rule. It is
 *      recorded in the transaction in which the try is given up: when the process that made it has died, when it was
 *      cut off, when its file changed.
 *   4. What counts becomes a left-over in the transaction in which something else takes its place.
 *
 * So a put that arrives late can hit only a name that does not count, and a removal only what does not count.
 *
 * One exception, so that 10 TB are not sent again: the blocks of a large file that are not acknowledged are sent again
 * under the same names, since they are the same bytes: inode, size, mtime and ctime are looked at before and after each
 * read, and a change gives the whole try up; so does another program or LZ4 library.
 */

/**
 * Records what a chunk's try leaves: its entries that are neither acknowledged nor otherwise done go on in chunks of
 * their own.
 *
 * @param losses lanes that may have gone because of one of the entries: the more, the smaller the chunks, so that in the
 *   end it stands alone
 * @returns ids of these chunks
 */
export function endChunk(
  context: JobContext,
  chunk: OpenChunk,
  ended: { readonly failed: readonly number[]; readonly large: readonly number[]; readonly begun: number },
  losses: LossRecord = NO_LOSSES,
): readonly number[] {
  const { state } = context;
  const elsewhere = new Set([...ended.failed, ...ended.large]);
  const rest: PackedEntry[] = [];
  const leftOut = chunk.acknowledged.emptied();
  for (const entry of unpackEntries(chunk.entries)) {
    if (chunk.acknowledged.has(entry.index) || elsewhere.has(entry.index)) continue;
    rest.push(entry);
    leftOut.add(entry.index);
  }
  for (const index of ended.failed) leftOut.add(index);
  state.chunks.finish(chunk.id, rest.length + ended.failed.length > 0 ? leftOut : undefined);
  const { manager } = context.directory(chunk.directory);
  for (const { index, type } of rest) {
    if (index >= ended.begun) continue;
    const sequence = chunk.firstSequence + index;
    state.leftovers.add({
      handle: context.entryHandle(sequence, type, manager),
      sequence,
      version: FIRST_VERSION,
      generation: 0,
      segments: type === ObjectType.regular ? 1 : 0,
      indirectBlocks: 0,
      owner: { kind: 'entry', directory: chunk.directory },
    });
  }
  const chunks = addChunks(context, chunk, rest, ENTRIES_BY_LOSSES[Math.floor(losses.lanes)] ?? 1);
  state.directoryLife.addPending(chunk.directory, chunks.length + ended.large.length - 1);
  return chunks;
}

/** Entries of a chunk, by the number of lanes that may have gone because of one of them. */
const ENTRIES_BY_LOSSES = [CHUNK_ENTRIES, 16, 1];

/** Puts entries into new chunks, with sequence numbers that nobody has had. @returns their ids */
function addChunks(
  context: JobContext,
  { directory, attempts }: Pick<OpenChunk, 'directory' | 'attempts'>,
  entries: readonly PackedEntry[],
  most = CHUNK_ENTRIES,
): readonly number[] {
  const packer = new EntryPacker();
  const chunks: number[] = [];
  const add = () => {
    const { count, entries: packed } = packer.take();
    const firstSequence = context.state.takeSequences(count);
    chunks.push(context.state.chunks.add({ directory, firstSequence, count, entries: packed, attempts }));
  };
  for (const { type, name } of entries) {
    packer.add(type, name);
    if (packer.count === most) add();
  }
  if (packer.count > 0) add();
  return chunks;
}

/** Takes the names of a claim on a linked inode. @returns the group with them */
export function takeNames(context: JobContext, group: LinkGroupRecord): LinkGroupRecord {
  const { state } = context;
  if (group.written) state.links.setNames(group.id, group.sequence, group.manager, group.revision + 1);
  else {
    const [first] = state.links.links(group.id);
    state.links.setNames(group.id, state.takeSequences(1), context.directory(first.directory).manager, 0);
  }
  return state.links.get(group.id);
}

/** A claimed try of a linked inode is lost: what it leaves is recorded, and the inode waits for another one. */
export function loseLinked(context: JobContext, group: LinkGroupRecord): void {
  leaveLinked(context, group);
  context.state.links.again(group.id, 0);
}

/** Records what a lost try of a linked inode leaves: the inode and the one segment of a file that is sent whole. */
function leaveLinked(context: JobContext, group: LinkGroupRecord): void {
  context.state.leftovers.add({
    handle: context.groupHandle(group),
    sequence: group.sequence,
    version: FIRST_VERSION + group.revision,
    generation: group.revision,
    segments: group.type === ObjectType.regular ? 1 : 0,
    indirectBlocks: 0,
    owner: groupOwner(context, group),
  });
}

/** What counted of a linked inode is superseded. */
export function supersedeLinked(context: JobContext, group: LinkGroupRecord): void {
  const { written } = group;
  if (!written) return;
  context.state.removeObjects(Tally.decode(written.tally));
  leaveWritten(context, group, written, written.blocks);
}

/** The inode that counted is superseded by one over the same blocks: those go on to count. */
export function supersedeLinkedInode(context: JobContext, group: LinkGroupRecord, written: WrittenGroup): void {
  leaveWritten(context, group, written, 1);
}

function leaveWritten(context: JobContext, group: LinkGroupRecord, written: WrittenGroup, blocks: number): void {
  const version = decodeObjectName(context.writtenName(group, written))?.version;
  context.state.leftovers.add({
    handle: context.groupHandle(group),
    sequence: group.sequence,
    version,
    generation: written.generation,
    segments: blocks - 1,
    indirectBlocks: indirectBlocks(context, blocks),
    owner: groupOwner(context, group),
  });
}

function groupOwner(context: JobContext, group: LinkGroupRecord): LeftoverOwner {
  const [first] = context.state.links.links(group.id);
  return { kind: 'group', group: group.id, directory: first?.directory ?? ROOT_DIRECTORY };
}

/** Gives the try of a large file up: what is at the service of it counts no more. */
export function giveUpLarge(context: JobContext, large: LargeRecord): void {
  const { state } = context;
  const { handle, version } = context.largeFile(large);
  const finishing = large.boundBlocks === large.blocks;
  if (large.boundBlocks > 0) {
    state.leftovers.add({
      handle,
      sequence: large.sequence,
      version: finishing ? version : undefined,
      generation: large.generation,
      segments: Math.min(large.boundBlocks, large.blocks - 1),
      indirectBlocks: finishing ? indirectBlocks(context, large.blocks) : 0,
      owner:
        large.origin.chunk === undefined
          ? groupOwner(context, state.links.get(large.origin.group))
          : { kind: 'entry', directory: large.directory },
    });
  }
  state.removeObjects(Tally.decode(large.tally));
  state.count(0, -context.segmentBytes(large));
  state.large.delete(large.id);
}

/**
 * Has the entry or the linked inode of a large file that was given up tried again. @param attempts tries that it
 * changed in
 */
export function tryLargeAgain(context: JobContext, large: LargeRecord, attempts: number): void {
  if (large.origin.chunk === undefined) {
    context.state.links.again(large.origin.group, attempts);
    return;
  }
  const { chunk, entry } = large.origin;
  context.state.chunks.leaveOut(chunk, entry);
  const again = { index: 0, type: ObjectType.regular, name: Buffer.from(large.sourceName) };
  const added = addChunks(context, { directory: large.directory, attempts }, [again]);
  context.state.directoryLife.addPending(large.directory, added.length - 1);
}

/** A claimed try of a directory is lost: what it leaves is recorded, and the directory waits for another one. */
export function loseDirectory(context: JobContext, id: number): void {
  leaveDirectory(context, context.state.directories.get(id));
  context.state.directoryLife.loseWriting(id);
}

/** Records what a lost try of a directory leaves. The root's inode is put only once it is sealed. */
function leaveDirectory(context: JobContext, record: DirectoryRecord): void {
  const { geometry } = context.constants;
  const bytes = context.state.directories.contentBytes(record.id) + DOT_BYTES;
  // Two pieces that follow each other hold more than one of them could.
  const smallest = Math.min(directoryPieceCapacity(0, geometry), directoryPieceCapacity(1, geometry));
  const blocks = 2 + Math.floor((2 * bytes) / smallest);
  context.state.leftovers.add({
    handle: context.directory(record.id).handle,
    sequence: record.sequence,
    version: record.id === ROOT_DIRECTORY ? undefined : FIRST_VERSION + record.revision,
    generation: record.revision,
    segments: bytes <= directoryPieceCapacity(0, geometry) ? 0 : blocks - 1,
    indirectBlocks: indirectBlocks(context, blocks),
    owner: { kind: 'directory', directory: record.id },
  });
}

/** Bytes of the entries `.` and `..` at most. */
const DOT_BYTES = 63;

/** An entry that counted is given up with its directory. @param entry `blocks`: block 0 included */
export function leaveEntry(
  context: JobContext,
  entry: {
    readonly handle: Uint8Array;
    readonly sequence: number;
    readonly directory: number;
    readonly blocks: number;
  },
): void {
  const { handle, sequence, directory, blocks } = entry;
  context.state.leftovers.add({
    handle,
    sequence,
    version: FIRST_VERSION,
    generation: 0,
    segments: blocks - 1,
    indirectBlocks: indirectBlocks(context, blocks),
    owner: { kind: 'entry', directory },
  });
}

/** What counted of a directory is superseded. @param owner other than itself: it is given up */
export function supersedeDirectory(
  context: JobContext,
  record: DirectoryRecord,
  written: WrittenDirectory,
  owner: LeftoverOwner = { kind: 'directory', directory: record.id },
): void {
  context.state.removeObjects(Tally.decode(written.tally));
  context.state.leftovers.add({
    handle: context.directory(record.id).handle,
    sequence: record.sequence,
    version: FIRST_VERSION + written.revision,
    generation: written.revision,
    segments: written.blocks - 1,
    indirectBlocks: indirectBlocks(context, written.blocks),
    owner,
  });
}

function indirectBlocks(context: JobContext, blocks: number): number {
  return blocks > context.constants.geometry.directBlocks ? blocks : 0;
}

const PAGE = 256;

/**
 * Gives up every try that a session which ended had claimed and not recorded; inside a transaction.
 *
 * @param sameEncoder whether the same bytes would be built again: then large files go on
 */
export function giveUpLostTries(context: JobContext, sameEncoder: boolean): void {
  const { state } = context;
  state.reclaimListings();
  state.chunks.resetAttempts();
  state.links.resetAttempts();
  for (const chunk of pages((after) => state.chunks.running(after, PAGE))) {
    endChunk(context, chunk, { failed: [], large: [], begun: chunk.count });
  }
  for (const large of pages((after) => state.large.list(after, PAGE))) {
    if (sameEncoder && large.blocks > 0) continue;
    giveUpLarge(context, large);
    tryLargeAgain(context, large, 0);
  }
  for (const group of pages((after) => state.links.running(after, PAGE))) {
    if (state.large.ofGroup(group.id)) continue;
    loseLinked(context, group);
  }
  const sealed = state.rootSeals.get() !== undefined;
  for (const record of pages((after) => state.directoryLife.writing(after, PAGE))) {
    if (record.id === ROOT_DIRECTORY && sealed) continue;
    loseDirectory(context, record.id);
  }
  state.directoryLife.recount();
}

/** All rows of a table that is read page by page. */
export function* pages<T extends { readonly id: number }>(read: (afterId: number) => readonly T[]): Generator<T> {
  for (let after = 0; ; ) {
    const page = read(after);
    yield* page;
    if (page.length === 0) return;
    after = page[page.length - 1].id;
  }
}
