import { ClfsError } from '../error.js';
import { DIRECTORY_MANAGERS, type EntryType, ObjectType } from '../format/ids.js';
import { ROOT_DIRECTORY } from '../state/directories.js';
import { DirectoryStatus } from '../state/schema.js';
import { escapePath } from '../text/escape-path.js';
import { MOST_LINKS } from '../worker/context.js';
import { unpackAttributes } from '../worker/file-attributes.js';
import type { EntryProblem, ListPart, ListResult } from '../worker/tasks.js';
import type { JobContext } from './job-context.js';
import { recordFailure } from './record-failure.js';

/** A directory whose listing arrives. Parts go to the state hidden, and count once the listing is complete. */
export class ListingInProgress {
  readonly directory: number;
  #chunks = 0;
  #directories = 0;
  #links = 0;
  #found = 0;
  #excluded = 0;
  #failures: ListPart['failures'][number][] = [];
  readonly #linksBefore: boolean;

  constructor(directory: number, context: JobContext) {
    this.directory = directory;
    this.#linksBefore = context.state.links.hasLinks(directory);
  }

  /** Records a part; inside a transaction. */
  addPart(part: ListPart, context: JobContext): void {
    const { state } = context;
    if (part.restart) this.discard(context);
    for (const { count, entries } of part.chunks) {
      state.chunks.add(this.directory, state.takeSequences(count), count, entries, true);
      this.#chunks++;
      this.#found += count;
    }
    for (const { name, device, inode } of part.directories) {
      const fileSystem = state.fileSystemOf(device);
      const added = state.directories.add({
        parent: this.directory,
        name,
        fileSystem,
        inode,
        sequence: state.takeSequences(1),
        manager: state.takeManager(DIRECTORY_MANAGERS),
        status: DirectoryStatus.hidden,
      });
      if (added === undefined) this.#failures.push({ name, type: ObjectType.directory, reason: 'directory-reached-twice', message: REACHED_TWICE });
      else {
        this.#directories++;
        this.#found++;
      }
    }
    for (const { name, type, device, inode, linkCount } of part.links) {
      const link = { directory: this.directory, name, fileSystem: state.fileSystemOf(device), inode, type: type as EntryType, linkCount };
      const { isNew, isCopy } = state.links.addLink(link, true, MOST_LINKS);
      if (isCopy)
        context.log.write(
          'WARNING',
          `${escapePath(context.entryPath(this.directory, name))}: more than ${MOST_LINKS} links: this one becomes a copy of its own`,
        );
      if (isNew) this.#found++;
      this.#links++;
    }
    this.#failures.push(...part.failures);
    this.#excluded += part.excluded;
  }

  /** The listing is complete: what it found counts; inside a transaction. @returns what the directory itself failed with */
  finish(result: ListResult, context: JobContext): EntryProblem | undefined {
    const { state } = context;
    const record = state.directories.get(this.directory);
    const problem = result.failure ?? this.#identify(result, context);
    if (problem) {
      this.discard(context);
      if (record.id === ROOT_DIRECTORY) throw new ClfsError('source', `Cannot read the source: ${problem.message}.`);
      state.directories.setStatus(this.directory, DirectoryStatus.failed);
      recordFailure(context, { kind: 'directory', directory: record.parent, name: record.name, type: ObjectType.directory, ...problem });
      state.directories.addPending(record.parent, -1);
      return problem;
    }
    for (const failure of this.#failures) {
      const kind = failure.type === ObjectType.directory ? 'directory' : 'entry';
      recordFailure(context, {
        kind,
        directory: this.directory,
        name: failure.name,
        type: failure.type,
        reason: failure.reason,
        message: failure.message,
        attempts: 1,
      });
    }
    if (this.#chunks > 0) state.chunks.reveal(this.directory);
    if (this.#directories > 0) state.directories.revealChildren(this.directory);
    const groups = this.#links > 0 ? state.links.reveal(this.directory) : [];
    for (const id of new Set(groups)) {
      // A directory that is loaded in a repair can bring further names of an inode that is written already.
      if (state.links.get(id).former) state.links.reopen(id);
    }
    const hasLinks = this.#links > 0 || this.#linksBefore;
    state.directories.setListed(this.directory, result.attributes, this.#chunks + this.#directories + (hasLinks ? 1 : 0), hasLinks);
    if (record.parent !== 0) state.directories.addPending(record.parent, -1);
    if (this.#excluded > 0) state.countExcluded(this.#excluded);
    context.progress.excluded += this.#excluded;
    context.progress.found += this.#found + this.#failures.length;
    if (result.clampedTimes)
      context.log.write(
        'WARNING',
        `${escapePath(context.entryPath(record.parent, record.name))}: a time before 1970 or after 2106 was moved to the nearest one that the format has`,
      );
    return undefined;
  }

  /** Throws away what has been recorded; inside a transaction. */
  discard(context: JobContext): void {
    context.state.chunks.dropHidden(this.directory);
    context.state.directories.dropHiddenChildren(this.directory);
    context.state.links.dropHidden(this.directory);
    this.#chunks = 0;
    this.#directories = 0;
    this.#links = 0;
    this.#found = 0;
    this.#excluded = 0;
    this.#failures = [];
  }

  /** A directory that was recorded without its identity gets it now; one that was met before is refused. */
  #identify(result: ListResult, context: JobContext): EntryProblem | undefined {
    const { state } = context;
    if (state.directories.get(this.directory).inode !== 0n) return undefined;
    const { inodeNumber } = unpackAttributes(result.attributes);
    const identified = state.directories.identify(this.directory, state.fileSystemOf(result.device), inodeNumber);
    context.forgetDirectory(this.directory);
    return identified ? undefined : { reason: 'directory-reached-twice', message: REACHED_TWICE, attempts: 1 };
  }
}

const REACHED_TWICE = 'the same directory is in the tree by another path already (a bind mount?); it is loaded once';
