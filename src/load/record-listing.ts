import { ClfsError } from '../error.js';
import { DIRECTORY_MANAGERS, ObjectType } from '../format/ids.js';
import { MOST_LINKS } from '../format/limits.js';
import { unpackAttributes } from '../format/packed-attributes.js';
import { ROOT_DIRECTORY } from '../state/directories.js';
import type { FailureRecord } from '../state/failures.js';
import { DirectoryStatus, WorkStatus } from '../state/schema.js';
import { escapePath } from '../text/escape-path.js';
import type { EntryProblem, ListPart, ListResult, LookResult } from '../worker/tasks.js';
import { addUnstorable, NOTHING_UNSTORABLE, type UnstorableCount } from '../worker/unstorable-count.js';
import type { JobContext } from './job-context.js';
import { recordFailure } from './record-failure.js';
import { proveSource, UNPROVEN } from './source-proof.js';
import { giveUpLarge } from './tries.js';

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

  constructor(directory: number) {
    this.directory = directory;
  }

  /** Records a part; inside a transaction. */
  addPart(part: ListPart, context: JobContext): void {
    const { state } = context;
    if (part.restart) this.discard(context);
    for (const { count, entries } of part.chunks) {
      state.chunks.add({ directory: this.directory, firstSequence: state.takeSequences(count), count, entries }, true);
      this.#chunks++;
      this.#found += count;
    }
    for (const { name, device, inode, bornNs } of part.directories) {
      const fileSystem = state.fileSystemOf(device);
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
    for (const { name, type, device, inode } of part.links) {
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
    // Not spread: there can be hundreds of thousands.
    for (const failure of part.failures) this.#failures.push(failure);
    this.#excluded += part.excluded;
    this.#unstorable = this.#unstorable && part.unstorable && addUnstorable(this.#unstorable, part.unstorable);
  }

  /** The listing is complete: what it found counts; inside a transaction. */
  finish(result: ListResult, context: JobContext): void {
    const { state } = context;
    const record = state.directories.get(this.directory);
    const problem = result.failure ?? this.#identify(result, context);
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

  /**
   * Entries that had failed were looked at again: what was found counts; inside a transaction.
   *
   * @param looked the failures whose entries were looked at
   * @param more whether others of the directory are still to be looked at
   */
  finishLook(result: LookResult, looked: readonly FailureRecord[], more: boolean, context: JobContext): void {
    const { state } = context;
    // A file system may have gone while it was looked.
    const isProven = proveSource(context);
    const isStill = looked.every(({ name }) => isProven(context.entryPath(this.directory, name)));
    const failure = result.failure ?? (isStill ? undefined : UNPROVEN);
    if (failure) {
      this.discard(context);
      for (const { name, type } of looked)
        recordFailure(context, { directory: this.directory, name, type, ...failure });
    } else {
      const vanished = new Set(result.vanished);
      // They were counted as open; what was found of them is counted like all that is found.
      context.progress.found -= looked.filter(({ further }) => !further).length;
      for (const [position, { id, name }] of looked.entries()) {
        if (!vanished.has(position)) {
          state.failures.setUnderWay(id);
          continue;
        }
        state.failures.remove(id);
        const path = escapePath(context.entryPath(this.directory, name));
        context.log.write('INFO', `${path}: it had failed, and is not in the source any more`);
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
