import { ClfsError } from '../error.js';
import { DIRECTORY_MANAGERS, type EntryType, ObjectType } from '../format/ids.js';
import { MOST_LINKS } from '../format/limits.js';
import { unpackAttributes } from '../format/packed-attributes.js';
import type { DirectoryIdentity } from '../source/source-tree.js';
import { type DirectoryRecord, ROOT_DIRECTORY } from '../state/directories.js';
import type { FailureRecord } from '../state/failures.js';
import { DirectoryStatus, WorkStatus } from '../state/schema.js';
import { escapePath } from '../text/escape-path.js';
import { EntryPacker, unpackEntries } from '../worker/packed-entries.js';
import type { EntryProblem, ListPart, ListResult, LookResult } from '../worker/tasks.js';
import { addUnstorable, NOTHING_UNSTORABLE, type UnstorableCount } from '../worker/unstorable-count.js';
import type { JobContext } from './job-context.js';
import { recordFailure } from './record-failure.js';
import { recordMountsAt, recordNewMountsAt } from './recorded-mounts.js';
import { OTHER_MOUNT, problemOfName, proveFailed, UNPROVEN, unmountedNames } from './source-proof.js';
import { giveUpLarge } from './tries.js';

/** A directory on another file system than the one that it is in. */
interface Crossed {
  readonly fileSystem: number;
  readonly path: Buffer;
  readonly identity: DirectoryIdentity;
}

/**
 * A directory whose listing, or a look at some of its entries, arrives. Parts go to the state hidden, and count once it
 * is complete.
 */
export class ListingInProgress {
  readonly directory: number;
  #chunks = 0;
  #directories = 0;
  #links = 0;
  #found = 0;
  #excluded = 0;
  #unstorable: UnstorableCount | undefined = NOTHING_UNSTORABLE;
  #failures: ListPart['failures'][number][] = [];
  readonly #looked: readonly FailureRecord[];

  /** @param looked the failures whose entries are looked at; none: it is listed */
  constructor(directory: number, looked: readonly FailureRecord[] = []) {
    this.directory = directory;
    this.#looked = looked;
  }

  /** Records a part; inside a transaction. */
  addPart(part: ListPart, context: JobContext): void {
    const { state } = context;
    if (part.restart) this.discard(context);
    const unmounted = this.#refusals(context);
    for (const chunk of part.chunks) {
      const { count, entries } = unmounted.size === 0 ? chunk : this.#without(chunk, unmounted);
      if (count === 0) continue;
      state.chunks.add({ directory: this.directory, firstSequence: state.takeSequences(count), count, entries }, true);
      this.#chunks++;
      this.#found += count;
    }
    const own = part.directories.length > 0 ? state.directories.get(this.directory).fileSystem : 0;
    const crossed: Crossed[] = [];
    const { oneFileSystem } = state.record.spec.selection;
    for (const { name, device, inode, bornNs } of part.directories) {
      // What is mounted at a directory is left out then.
      if (!oneFileSystem && this.#refuse(name, ObjectType.directory, unmounted)) continue;
      const fileSystem = state.fileSystemOf(device);
      if (fileSystem !== own)
        crossed.push({
          fileSystem,
          path: context.entryPath(this.directory, name),
          identity: { device, inode, bornNs },
        });
      const added = state.directories.add({
        parent: this.directory,
        name,
        fileSystem,
        inode,
        bornNs,
        sequence: state.takeSequences(1),
        manager: state.takeManager(DIRECTORY_MANAGERS),
        status: DirectoryStatus.hidden,
      });
      if (added === undefined)
        this.#failures.push({
          name,
          type: ObjectType.directory,
          reason: 'directory-reached-twice',
          message: REACHED_TWICE,
        });
      else {
        this.#directories++;
        this.#found++;
      }
    }
    if (crossed.length > 0) this.#cross(crossed, context);
    for (const { name, type, device, inode } of part.links) {
      if (this.#refuse(name, type, unmounted)) continue;
      const link = { directory: this.directory, name, fileSystem: state.fileSystemOf(device), inode, type };
      const { isNew, isCopy } = state.links.addLink(link, true, MOST_LINKS);
      if (isCopy)
        context.log.write(
          'WARNING',
          `${escapePath(context.entryPath(this.directory, name))}: more than ${MOST_LINKS} links, or links that cannot be shown to be the same file: this one becomes a copy of its own`,
        );
      if (isNew) this.#found++;
      this.#links++;
    }
    if (part.failures.length > 0)
      recordNewMountsAt(
        context,
        part.failures.map(({ name }) => context.entryPath(this.directory, name)),
      );
    // Not spread: there can be hundreds of thousands.
    for (const failure of part.failures) this.#failures.push(failure);
    this.#excluded += part.excluded;
    this.#unstorable = this.#unstorable && part.unstorable && addUnstorable(this.#unstorable, part.unstorable);
  }

  /** What of the directory is not loaded, for what is mounted in it now. */
  #refusals(context: JobContext): ReadonlyMap<string, EntryProblem> {
    const unmounted = unmountedNames(context, this.directory);
    if (unmounted.size === 0 || this.#looked.length === 0) return unmounted;
    // Where it has been told that another file system is mounted, that is part of the source from here on.
    const told = this.#looked.filter(
      ({ name, reason }) => reason === OTHER_MOUNT.reason && problemOfName(unmounted, name)?.reason === reason,
    );
    if (told.length === 0) return unmounted;
    recordMountsAt(
      context,
      told.map(({ name }) => context.entryPath(this.directory, name)),
    );
    return unmountedNames(context, this.directory);
  }

  /** @returns whether what is at a name is not loaded, which is a failure then */
  #refuse(name: Uint8Array, type: EntryType, unmounted: ReadonlyMap<string, EntryProblem>): boolean {
    const problem = problemOfName(unmounted, name);
    if (problem) this.#failures.push({ name, type, reason: problem.reason, message: problem.message });
    return problem !== undefined;
  }

  #without(chunk: ListPart['chunks'][number], unmounted: ReadonlyMap<string, EntryProblem>) {
    const packer = new EntryPacker();
    for (const { name, type } of unpackEntries(chunk.entries))
      if (!this.#refuse(name, type, unmounted)) packer.add(type, name);
    return packer.take();
  }

  /** Other file systems have been met than that of the directory. */
  #cross(crossed: readonly Crossed[], context: JobContext): void {
    recordMountsAt(
      context,
      crossed.map(({ path }) => path),
    );
    for (const { fileSystem, path, identity } of crossed) void context.held?.take(fileSystem, path, identity);
  }

  /** The listing is complete: what it found counts; inside a transaction. */
  finish(result: ListResult, context: JobContext): void {
    const { state } = context;
    const record = state.directories.get(this.directory);
    // It may have been mounted only while its name was recorded.
    const problem = this.#unmounted(record, context) ?? result.failure ?? this.#identify(result, context);
    if (problem) {
      this.discard(context);
      // What is in it was not counted.
      context.progress.listedUnstorable = undefined;
      if (record.id === ROOT_DIRECTORY) throw new ClfsError('source', `Cannot read the source: ${problem.message}.`);
      const { parent, name } = record;
      state.directories.delete(this.directory);
      context.forgetDirectory(this.directory);
      recordFailure(context, { directory: parent, name, type: ObjectType.directory, ...problem });
      state.directoryLife.addPending(parent, -1);
      return;
    }
    const { pending, links } = this.#reveal(context);
    state.directoryLife.setListed(this.directory, result.attributes, pending + (links ? 1 : 0), links);
    if (record.parent !== 0) state.directoryLife.addPending(record.parent, -1);
    if (this.#excluded > 0) state.countExcluded(this.#excluded);
    const { progress } = context;
    progress.listedUnstorable =
      progress.listedUnstorable && this.#unstorable && addUnstorable(progress.listedUnstorable, this.#unstorable);
    if (result.clampedTimes)
      context.log.write(
        'WARNING',
        `${escapePath(context.entryPath(record.parent, record.name))}: a time before 1970 or after 2106 was moved to the nearest one that the format has`,
      );
  }

  #unmounted({ parent, name }: DirectoryRecord, context: JobContext): EntryProblem | undefined {
    if (parent === 0 || context.state.record.spec.selection.oneFileSystem) return undefined;
    return problemOfName(unmountedNames(context, parent), name);
  }

  /**
   * Entries that had failed were looked at again: what was found counts; inside a transaction.
   *
   * @param more whether others of the directory are still to be looked at
   */
  finishLook(result: LookResult, more: boolean, context: JobContext): void {
    const { state } = context;
    const looked = this.#looked;
    // A file system may have gone while it was looked.
    const problemOf = proveFailed(context, this.directory);
    const failure = result.failure ?? (looked.some((failed) => problemOf(failed)) ? UNPROVEN : undefined);
    if (failure) {
      this.discard(context);
      for (const { name, type } of looked)
        recordFailure(context, { directory: this.directory, name, type, ...failure });
    } else {
      const vanished = new Set(result.vanished);
      let first: Buffer | undefined;
      // They were counted as open; what was found of them is counted like all that is found.
      context.progress.found -= looked.filter(({ further }) => !further).length;
      for (const [position, { id, name }] of looked.entries()) {
        if (!vanished.has(position)) {
          state.failures.setUnderWay(id);
          continue;
        }
        state.failures.remove(id);
        const path = context.entryPath(this.directory, name);
        context.log.write('INFO', `${escapePath(path)}: it had failed, and is not there any more`);
        first ??= path;
      }
      if (first) {
        const { names = 0, firstHex = first.toString('hex') } = state.record.gone ?? {};
        state.update({ gone: { names: names + vanished.size, firstHex } });
      }
      const { pending, links } = this.#reveal(context);
      state.directoryLife.addPending(this.directory, pending);
      if (links) state.directoryLife.awaitLinks(this.directory);
    }
    if (more) state.directoryLife.repeatLook(this.directory);
    else state.directoryLife.endLook(this.directory);
  }

  /** Makes what was found count. @returns what the directory has to wait for */
  #reveal(context: JobContext): { readonly pending: number; readonly links: boolean } {
    const { state } = context;
    for (const failure of this.#failures)
      recordFailure(context, { directory: this.directory, attempts: 1, ...failure });
    if (this.#chunks > 0) state.chunks.reveal(this.directory);
    if (this.#directories > 0) state.directoryLife.revealChildren(this.directory);
    const groups = this.#links > 0 ? state.links.reveal(this.directory) : [];
    for (const id of new Set(groups)) this.#addNames(id, context);
    context.progress.found += this.#found + this.#failures.length;
    return { pending: this.#chunks + this.#directories, links: this.#links > 0 };
  }

  /** A group got further names: an inode that is written, or under way, without them is tried anew. */
  #addNames(id: number, context: JobContext): void {
    const { state } = context;
    const group = state.links.get(id);
    if (group.status === WorkStatus.pending) return;
    const large = state.large.ofGroup(id);
    if (large) giveUpLarge(context, large);
    state.links.again(id, 0);
  }

  /** Throws away what has been recorded; inside a transaction. */
  discard(context: JobContext): void {
    context.state.chunks.dropHidden(this.directory);
    context.state.directoryLife.dropHiddenChildren(this.directory);
    context.state.links.dropHidden(this.directory);
    this.#chunks = 0;
    this.#directories = 0;
    this.#links = 0;
    this.#found = 0;
    this.#excluded = 0;
    this.#unstorable = NOTHING_UNSTORABLE;
    this.#failures = [];
  }

  /** A directory that was recorded without its identity gets it now; one that was met before is refused. */
  #identify(result: ListResult, context: JobContext): EntryProblem | undefined {
    const { state } = context;
    if (state.directories.get(this.directory).inode !== 0n) return undefined;
    const { inodeNumber } = unpackAttributes(result.attributes);
    const identified = state.directories.identify(this.directory, state.fileSystemOf(result.device), {
      inode: inodeNumber,
      bornNs: result.bornNs,
    });
    context.forgetDirectory(this.directory);
    return identified ? undefined : { reason: 'directory-reached-twice', message: REACHED_TWICE, attempts: 1 };
  }
}

const REACHED_TWICE = 'the same directory is in the tree by another path already (a bind mount?); it is loaded once';
