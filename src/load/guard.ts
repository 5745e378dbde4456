import { isClfsError } from '../error.js';
import { type DirectoryEntry, decodeDirents } from '../format/dirents.js';
import { decodeObject } from '../format/envelope.js';
import { idHex, ObjectType } from '../format/ids.js';
import { decodeInode, type Inode } from '../format/inode.js';
import { decodeObjectName, encodeObjectName, FIRST_VERSION } from '../format/names.js';
import { decodeSegment } from '../format/segment.js';
import { ROOT_DIRECTORY } from '../state/directories.js';
import type { Leftover } from '../state/leftovers.js';
import { DirectoryStatus, WorkStatus } from '../state/schema.js';
import { blockNames } from '../worker/indirect-blocks.js';
import type { EndTools } from './end-tools.js';
import type { JobContext } from './job-context.js';
import type { ListedVersion } from './presence.js';

/** Most bytes that one object has, uncompressed. */
export const OBJECT_LIMIT_BYTES = 64 * 1048576;

/** What is to be done with a left-over: these names can go, or none and why. */
export type Verdict = { readonly remove: Iterable<string> } | { readonly refuse: string };

/**
 * Looks before something is removed. By the rule of names (`tries.ts`) nothing that counts is ever a left-over; this is
 * the net under it.
 *
 * What is not written yet is known by the state, what is written by the container, too: an inode counts when its
 * directory's object leads to it, a block when the inode that counts names it.
 */
export class LeftoverGuard {
  readonly #context: JobContext;
  readonly #tools: EndTools;
  readonly #wanted: ReadonlySet<string>;
  /** Handles of those wanted that the directory which was looked at last leads to. */
  #entries: { readonly directory: number; readonly handles: Promise<ReadonlySet<string>> } | undefined;

  /** @param wanted handles that are looked for: a directory is read for all of them once, and may have many millions */
  constructor(context: JobContext, tools: EndTools, wanted: Iterable<Uint8Array> = []) {
    this.#context = context;
    this.#tools = tools;
    this.#wanted = new Set(Array.from(wanted, idHex));
  }

  /**
   * @param listed all blobs of the left-over's handle
   * @param mine those of them that would be removed
   * @returns why it must not be removed; undefined when it may
   */
  async whyNot(
    leftover: Leftover,
    listed: readonly ListedVersion[],
    mine: readonly string[],
  ): Promise<string | undefined> {
    const { state } = this.#context;
    const { owner, sequence } = leftover;
    let counted: string | undefined;
    if (owner.kind === 'directory') {
      const record = state.directories.find(owner.directory);
      // Of one that was given up nothing counts; its number may be used again.
      if (record?.sequence !== sequence) return undefined;
      if (record.status === DirectoryStatus.writing && record.revision === leftover.generation)
        return 'it is being written';
      counted = this.#directoryName(owner.directory);
    } else {
      const group = owner.kind === 'group' ? state.links.find(owner.group) : undefined;
      if (group && group.sequence === sequence) {
        const underWay = group.status === WorkStatus.running && group.revision === leftover.generation;
        if (underWay) return 'it is under way';
        counted = group.written && this.#context.writtenName(group, group.written);
      } else if (owner.kind === 'entry' && state.chunks.counts(owner.directory, sequence)) {
        return 'an entry of the state leads to it';
      }
      if (state.large.hasSequence(sequence) && counted === undefined) return 'its large file is under way';
      if (counted === undefined && (await this.#isListedIn(owner.directory, leftover.handle))) {
        return 'its directory leads to it';
      }
    }
    if (counted === undefined) return undefined;
    if (mine.includes(counted)) return 'it is the version that counts';
    const isThere = listed.some(({ name }) => name === counted);
    if (!isThere) return mine.length > 0 ? 'the version that counts is not in the container' : undefined;
    return (await this.#namesBlock(counted, leftover)) ? 'the inode that counts names its blocks' : undefined;
  }

  /** Whether an inode's block map names a block of the left-over: all of a try share their fate. */
  async #namesBlock(name: string, leftover: Leftover): Promise<boolean> {
    const [first] = blockNames({ ...leftover, segments: Math.min(1, leftover.segments) }, this.#tools.work);
    const id = first === undefined ? undefined : decodeObjectName(first)?.id;
    if (!id) return false;
    const { blockMap } = await this.inode(name);
    return [...blockMap.direct, ...blockMap.roots].some((block) => Buffer.compare(block, id) === 0);
  }

  /** Whether a directory's object leads to an inode. A directory of which nothing counts yet leads to nothing. */
  #isListedIn(directory: number, handle: Uint8Array): Promise<boolean> {
    const wanted = idHex(handle);
    if (!this.#wanted.has(wanted)) throw new Error('The guard does not look for this handle.');
    if (this.#entries?.directory !== directory) this.#entries = { directory, handles: this.#handlesIn(directory) };
    return this.#entries.handles.then((handles) => handles.has(wanted));
  }

  async #handlesIn(directory: number): Promise<ReadonlySet<string>> {
    const { state } = this.#context;
    // While its entries are recorded the state has told already. One that is still to be written again leads to what it
    // has lost.
    if (state.directories.find(directory)?.status !== DirectoryStatus.written || state.chunks.hasRows(directory))
      return new Set();
    const found = new Set<string>();
    try {
      for await (const { handle } of this.entriesOf(directory)) {
        const hex = idHex(handle);
        if (this.#wanted.has(hex)) found.add(hex);
      }
    } catch (error) {
      // What is missing is found by the check of the listing.
      if (!isClfsError(error, 'not-found')) throw error;
    }
    return found;
  }

  /**
   * Entries of a directory as its object in the container has them, a piece at a time; none when there is none. @throws
   * ClfsError `not-found`, `format`
   */
  async *entriesOf(directory: number): AsyncGenerator<DirectoryEntry> {
    const { state } = this.#context;
    const written = state.directoryLife.written(directory);
    const name = this.#directoryName(directory);
    if (!written || name === undefined) return;
    const { dirents } = await this.inode(name);
    if (dirents) yield* decodeDirents(Buffer.from(dirents));
    const blocks = {
      handle: this.#context.directory(directory).handle,
      sequence: state.directories.get(directory).sequence,
      generation: written.revision,
      segments: written.blocks - 1,
      indirectBlocks: 0,
    };
    for (const segment of blockNames(blocks, this.#tools.work)) {
      const decoded = decodeSegment(await this.#body(segment));
      if (decoded.kind === 'directory') yield* decodeDirents(Buffer.from(decoded.dirents));
    }
  }

  #directoryName(id: number): string | undefined {
    const { state } = this.#context;
    const written = state.directoryLife.written(id);
    if (!written) return undefined;
    const { handle } = this.#context.directory(id);
    const owner = id === ROOT_DIRECTORY ? handle : this.#context.directory(state.directories.get(id).parent).handle;
    return encodeObjectName({
      id: handle,
      type: ObjectType.directory,
      owner,
      version: FIRST_VERSION + written.revision,
    });
  }

  /** @throws ClfsError `not-found`, `format` */
  async inode(name: string): Promise<Inode> {
    return decodeInode(await this.#body(name));
  }

  async #body(name: string): Promise<Buffer> {
    const blob = await this.#tools.work.container.get(name, OBJECT_LIMIT_BYTES);
    return decodeObject(blob, OBJECT_LIMIT_BYTES, this.#tools.lz4).body;
  }

  /** Whether anything of the state has a sequence number, by a slow search: for what version 0.1.0 recorded. */
  isKnown(sequence: number): boolean {
    const { state } = this.#context;
    return (
      state.chunks.counts(undefined, sequence) ||
      state.large.hasSequence(sequence) ||
      state.links.withSequence(sequence) !== undefined ||
      state.directories.withSequence(sequence) !== undefined
    );
  }

  /** Whether the inode of a directory, or a segment that it names directly, leads to an inode. */
  async leadsTo(name: string, handle: Uint8Array): Promise<boolean> {
    const { dirents, blockMap } = await this.inode(name);
    const has = (bytes: Uint8Array) =>
      decodeDirents(Buffer.from(bytes)).some((entry) => Buffer.compare(entry.handle, handle) === 0);
    if (dirents && has(dirents)) return true;
    const owner = decodeObjectName(name)?.id ?? new Uint8Array(0);
    for (const id of blockMap.direct.slice(1)) {
      const key = { id, type: ObjectType.segment, owner, version: FIRST_VERSION };
      const body = await this.bodyOf(encodeObjectName(key));
      const segment = body && decodeSegment(body);
      if (segment?.kind === 'directory' && has(segment.dirents)) return true;
    }
    return false;
  }

  /** Body of an object, and `undefined` when it is not there. */
  async bodyOf(name: string): Promise<Buffer | undefined> {
    try {
      return await this.#body(name);
    } catch (error) {
      if (isClfsError(error, 'not-found')) return undefined;
      throw error;
    }
  }
}
