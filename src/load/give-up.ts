import { BitSet } from '../books/bit-set.js';
import { ObjectType } from '../format/ids.js';
import { encodeObjectName, FIRST_VERSION } from '../format/names.js';
import type { ChunkEntries } from '../state/chunks.js';
import type { LinkInDirectory } from '../state/dropped-links.js';
import { unpackEntries } from '../worker/packed-entries.js';
import { type EndTools, requireGoOn } from './end-tools.js';
import { LeftoverGuard } from './guard.js';
import { mapInFlight } from './in-flight.js';
import type { JobContext } from './job-context.js';
import { bringBack } from './restore-entries.js';
import { readStoredSize } from './stored-objects.js';
import { giveUpLarge, leaveEntry, supersedeDirectory } from './tries.js';

/** Entries that one transaction changes, about. */
const ENTRIES_AT_ONCE = 8192;
const ROWS_AT_ONCE = 1000;
const CHUNKS_AT_ONCE = 32;
const LOOKS_IN_FLIGHT = 16;

/**
 * Gives directories up that are not in their place any more: what counted of them, and of all that is below, counts no
 * more, and becomes left-overs (rule 4 of `tries.ts`).
 *
 * There can be millions of rows: each step is a transaction of a bounded size, and leaves a state that the next session
 * goes on with.
 *
 *   1. {@link begin}: the directory is `leaving`. From then on its parent does not list it, its identity is free, its
 *      own object is a left-over, and what was not claimed is forgotten. Its objects and those of its entries are off the
 *      books, with the lengths that they were put with: what the container has in their place by now is of no account. The
 *      entries that count are rows of the state, also those that were forgotten when it was written. Then the same for
 *      each directory in it, and so on.
 *   2. Their entries are taken off: a row is gone when what it stands for is a left-over.
 *   3. Their names of linked inodes are dropped, and the directories are gone.
 *   4. Linked inodes that lost names are rid of their back pointers (`relink.ts`).
 *
 * Only before anything is claimed in a session: nothing of it is under way then.
 */
export class GiveUp {
  readonly #context: JobContext;
  readonly #tools: EndTools;
  readonly #reader: LeftoverGuard;

  constructor(context: JobContext, tools: EndTools) {
    this.#context = context;
    this.#tools = tools;
    this.#reader = new LeftoverGuard(context, tools);
  }

  /**
   * Gives a directory up, so that {@link finish} goes on with what is below it. Its parent is to be written again
   * without it.
   *
   * @param also what is recorded with it, in the same transaction
   */
  async begin(id: number, also: () => void): Promise<void> {
    const { state } = this.#context;
    const { parent } = state.directories.get(id);
    for (const directory of [parent, id]) await this.#bringBack(directory);
    state.transact(() => {
      state.chunks.settleHidden(parent);
      this.#leave(id);
      also();
    });
  }

  /** Takes off what is left of directories that were given up; at the latest before their names can be met again. */
  async finish(begun: readonly number[]): Promise<void> {
    const { state } = this.#context;
    const ids = [...begun];
    // Grows while it is gone through.
    for (const id of ids) await this.#beginChildren(id, ids);
    await this.#takeOffEntries(ids);
    for (const page of slices(ids, ROWS_AT_ONCE)) {
      requireGoOn(this.#tools.signal);
      while (state.transact(() => this.#dropLinks(page)) > 0);
    }
    // What is below goes first.
    ids.sort((a, b) => b - a);
    for (const page of slices(ids, ROWS_AT_ONCE)) {
      state.transact(() => {
        for (const id of page) state.directories.delete(id);
      });
      for (const id of page) this.#context.forgetDirectory(id);
    }
  }

  async #beginChildren(id: number, begun: number[]): Promise<void> {
    const { state } = this.#context;
    for (;;) {
      const children = state.directories.children(id, 0, ROWS_AT_ONCE);
      if (children.length === 0) return;
      const ready: number[] = [];
      let entries = 0;
      for (const child of children) {
        if (entries >= ENTRIES_AT_ONCE) break;
        requireGoOn(this.#tools.signal);
        entries += await this.#bringBack(child.id);
        ready.push(child.id);
      }
      state.transact(() => {
        for (const child of ready) this.#leave(child);
      });
      begun.push(...ready);
    }
  }

  /**
   * Brings back entries of a directory that are recorded no more. While it is not written, or has a failed entry, all of
   * them are.
   *
   * @returns how many
   */
  async #bringBack(id: number): Promise<number> {
    const { state } = this.#context;
    const isForgotten = state.directoryLife.written(id) && !state.chunks.hasRows(id);
    return isForgotten ? bringBack(this.#context, this.#reader, id) : 0;
  }

  /** Inside a transaction. */
  #leave(id: number): void {
    const { state } = this.#context;
    const record = state.directories.get(id);
    state.chunks.settleHidden(id);
    for (const large of state.large.ofDirectory(id)) {
      if (large.origin.chunk === undefined) continue;
      giveUpLarge(this.#context, large);
      state.chunks.leaveOut(large.origin.chunk, large.origin.entry);
    }
    state.chunks.dropPending(id);
    state.removeObjects(state.directories.entryObjects(id));
    const written = state.directoryLife.written(id);
    if (written) {
      supersedeDirectory(this.#context, record, written, { kind: 'entry', directory: record.parent });
      state.count(-1, 0);
    }
    state.failures.removeIn(id);
    state.directoryLife.setLeaving(id);
  }

  async #takeOffEntries(ids: readonly number[]): Promise<void> {
    const { state } = this.#context;
    let page: CountedEntry[] = [];
    let chunks: number[] = [];
    const end = async () => {
      requireGoOn(this.#tools.signal);
      if (chunks.length > 0) await this.#takeOff(page, chunks);
      page = [];
      chunks = [];
    };
    for (const directory of ids) {
      for (let after = 0; ; ) {
        const rows = state.chunks.ofDirectory(directory, after, CHUNKS_AT_ONCE);
        if (rows.length === 0) break;
        for (const row of rows) {
          for (const entry of this.#counted(directory, row)) page.push(entry);
          chunks.push(row.id);
        }
        after = rows[rows.length - 1].id;
        if (page.length >= ENTRIES_AT_ONCE) await end();
      }
    }
    await end();
  }

  /** Entries of a chunk that count. It has been done: others of its directory are not recorded any more. */
  *#counted(directory: number, { firstSequence, entries, leftOut }: ChunkEntries): Generator<CountedEntry> {
    const { manager, handle: owner } = this.#context.directory(directory);
    const skip = leftOut && new BitSet(leftOut.length * 8, leftOut);
    for (const { index, type } of unpackEntries(entries)) {
      if (skip?.has(index)) continue;
      const sequence = firstSequence + index;
      const handle = this.#context.entryHandle(sequence, type, manager);
      yield {
        handle,
        sequence,
        type,
        directory,
        name: encodeObjectName({ id: handle, type, owner, version: FIRST_VERSION }),
      };
    }
  }

  async #takeOff(entries: readonly CountedEntry[], chunks: readonly number[]): Promise<void> {
    const { state } = this.#context;
    const stored = await mapInFlight(entries, LOOKS_IN_FLIGHT, ({ name }) =>
      readStoredSize(this.#context, this.#tools, name),
    );
    state.transact(() => {
      let bytes = 0;
      for (const [at, size] of stored.entries()) {
        const { handle, sequence, directory, type } = entries[at];
        bytes += size?.bytes ?? 0;
        leaveEntry(this.#context, {
          handle,
          sequence,
          directory,
          blocks: size?.blocks ?? (type === ObjectType.regular ? 2 : 1),
        });
      }
      state.count(-entries.length, -bytes);
      for (const id of chunks) state.chunks.delete(id);
    });
  }

  /** Drops names of linked inodes; inside a transaction. @returns how many */
  #dropLinks(directories: readonly number[]): number {
    let dropped = 0;
    for (const directory of directories) {
      if (dropped >= ROWS_AT_ONCE) break;
      const links = this.#context.state.droppedLinks.inDirectory(directory, ROWS_AT_ONCE);
      for (const link of links) this.#dropLink(link);
      dropped += links.length;
    }
    return dropped;
  }

  #dropLink({ id, group: groupId, written }: LinkInDirectory): void {
    const { links, droppedLinks, large: files } = this.#context.state;
    const large = files.ofGroup(groupId);
    // Its try has the names as they were.
    if (large) giveUpLarge(this.#context, large);
    const group = links.get(groupId);
    if (written && group.written) droppedLinks.drop(id, group, this.#context.writtenName(group, group.written));
    else links.deleteLink(id);
    if (links.links(groupId).some((link) => !link.written)) links.again(groupId, 0);
    else if (group.written) links.keep(groupId);
    else links.delete(groupId);
  }
}

interface CountedEntry {
  /** Name of the blob. */
  readonly name: string;
  readonly handle: Uint8Array;
  readonly sequence: number;
  readonly type: number;
  readonly directory: number;
}

function* slices<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}
