import { ObjectType } from '../../format/ids.js';
import { fileSize } from '../../namespace/content.js';
import type { FoundInode } from '../../namespace/reader.js';
import { joinPath } from '../../paths/join-path.js';
import type { FileStatus } from '../../posix/file-status.js';
import { PosixError } from '../../posix/posix-error.js';
import type { ExportContext } from './context.js';
import { createEntry, EntryPlace } from './create-entry.js';
import type { EntryProblem, LinkedResult, LinkedTask, TargetName } from './kinds.js';
import { exportBreakage, problemOf, stopped } from './problem.js';
import {
  fateOf,
  finishEntry,
  giveTimes,
  hasTypeAndLength,
  isWhole,
  keepThere,
  largeBlocks,
  type Made,
  makeEntry,
  rename,
  requireReplaceable,
  type Written,
} from './write-entry.js';

/** A file system without hard links, or a file that has as many as it can have. */
const NOT_LINKABLE = new Set([
  'EMLINK',
  'EPERM',
  'EXDEV',
  'EOPNOTSUPP',
  'ENOTSUP',
  'ENOSYS',
  'ENOENT',
  'ENOTDIR',
  'ELOOP',
]);

/** What a name is linked to: an entry of an open directory, as it was when it had been written whole. */
interface Origin {
  readonly at: number;
  readonly name: Uint8Array;
  readonly inode: bigint;
  /** Of its file system: another one that is mounted in the target may have the same number. */
  readonly device: string;
  close(): void | Promise<void>;
}

/**
 * Deals with names of a file that has several: they become links of one file, which is written when the first name
 * needs it.
 */
export async function writeLinked(task: LinkedTask, context: ExportContext): Promise<LinkedResult> {
  const group = new GroupInProgress(task, context);
  const giveBack = await context.directories.take();
  try {
    await group.run();
  } catch (error) {
    group.broken = exportBreakage(error);
  } finally {
    await group.close();
    giveBack();
  }
  try {
    await context.target.flush();
  } catch (error) {
    const broken = group.broken ?? exportBreakage(error);
    const nothing = { outcomes: [], copies: [], bytes: 0, type: undefined, origin: undefined, large: undefined };
    return { ...nothing, originGone: group.originGone, broken };
  }
  const { outcomes, copies, bytes, passedBytes, type, origin, originGone, large, broken } = group;
  return { outcomes, copies, bytes, passedBytes, type, origin, originGone, large, broken };
}

/** Name of the file, in the root, to which the names of a group are linked. */
function groupFile({ constants }: ExportContext, group: number): Buffer {
  return Buffer.from(`${constants.temporaryPrefix}g${group}`);
}

function isTemporary({ constants }: ExportContext, name: Uint8Array): boolean {
  return Buffer.from(name).toString('latin1').startsWith(constants.temporaryPrefix);
}

function textOf({ inode, device }: Pick<Origin, 'inode' | 'device'>): string {
  return `${device}/${inode}`;
}

/** What tells a file from another one. */
function identityOf({ inode, device }: FileStatus): Pick<Origin, 'inode' | 'device'> {
  return { inode, device };
}

class GroupInProgress {
  readonly outcomes: LinkedResult['outcomes'][number][] = [];
  readonly copies: number[] = [];
  bytes = 0;
  passedBytes = 0;
  type: LinkedResult['type'];
  origin: LinkedResult['origin'];
  originGone = false;
  large: LinkedResult['large'];
  broken: LinkedResult['broken'];
  readonly #task: LinkedTask;
  readonly #context: ExportContext;
  readonly #file: Buffer;
  /** Name of a link, or of a file of its own, before it takes the place of what has its name. */
  readonly #temporary: Buffer;
  #linkTo: Origin | undefined;
  /** What names were linked to before that: names may alternate between two file systems. */
  #before: Origin | undefined;
  /** Names of the group that files have which were there, when this was first asked. */
  #namesThere: ReadonlyMap<string, number> | undefined;
  /** Files that have got names. */
  readonly #files = new Set<string>();
  #unusable: EntryProblem | undefined;

  constructor(task: LinkedTask, context: ExportContext) {
    this.#task = task;
    this.#context = context;
    this.#file = groupFile(context, task.group);
    this.#temporary = Buffer.concat([this.#file, Buffer.from('-')]);
  }

  async run(): Promise<void> {
    const { reader, target, stop } = this.#context;
    const { names, handle, last } = this.#task;
    let found: FoundInode | undefined;
    try {
      found = await reader.inode(Buffer.from(handle));
      this.type = found.inode.attributes.type;
      if (!(await this.#takeOrigin(found))) {
        this.originGone = true;
        return;
      }
    } catch (error) {
      this.#unusable = problemOf(this.#file, error);
    }
    for (const [index, place] of names.entries()) {
      if (stop.asked) throw stopped();
      if (this.#unusable || !found) {
        if (this.#unusable) this.outcomes.push(this.#unusable);
        continue;
      }
      const outcome = await this.#name(index, place, found);
      if (outcome === undefined) return;
      this.outcomes.push(outcome);
    }
    // The content counts with the first names.
    const isThere = !this.#task.origin && !this.large && this.bytes === 0 && this.#unusable === undefined;
    if (found && isThere && this.type === ObjectType.regular) this.passedBytes = fileSize(found);
    if (last) await target.removeTemporary(target.root, this.#file);
  }

  async close(): Promise<void> {
    for (const origin of [this.#linkTo, this.#before]) await origin?.close();
  }

  /**
   * What was written before, by an earlier task or an earlier try of this one: the one is known by its inode number, the
   * other by what it gets last.
   *
   * @returns false when what is recorded is not there any more
   */
  async #takeOrigin(found: FoundInode): Promise<boolean> {
    const { target, constants } = this.#context;
    const { attributes } = found.inode;
    const { origin } = this.#task;
    const isOrigin = (status: FileStatus) => status.inode === origin?.inode && hasTypeAndLength(status, attributes);
    const there = await target.look(target.root, this.#file);
    if (there && (isOrigin(there) || isWhole(there, attributes, constants.kept))) {
      this.#linkTo = { at: target.root, name: this.#file, ...identityOf(there), close: () => undefined };
      if (there.linkCount > 1) this.#files.add(textOf(there));
    }
    if (!origin) {
      if (there && !this.#linkTo) await target.removeTemporary(target.root, this.#file);
      return true;
    }
    // Names may have been linked to another one since, as on another file system.
    if (this.#linkTo?.inode === origin.inode) return true;
    try {
      const at = await target.enter(origin);
      const status = await target.look(at, origin.name);
      if (status && isOrigin(status)) {
        // Not a temporary file, which is no name of the tree.
        if (origin.path.length > 0 || !isTemporary(this.#context, origin.name)) this.#files.add(textOf(status));
        this.#before = this.#linkTo;
        this.#linkTo = { at, name: origin.name, ...identityOf(status), close: () => target.calls.close(at) };
      } else await target.calls.close(at);
    } catch (error) {
      // Its directory cannot be reached any more: the file is written again.
      problemOf(Buffer.from(origin.path), error);
    }
    return this.#linkTo !== undefined;
  }

  /** @returns undefined when the content has to be written in parts first */
  async #name(
    index: number,
    place: TargetName,
    found: FoundInode,
  ): Promise<'written' | 'replaced' | 'left' | EntryProblem | undefined> {
    const { target } = this.#context;
    const name = Buffer.from(place.name);
    try {
      const at = await target.enter(place);
      let isKept = false;
      try {
        if (this.#context.constants.isResumed || this.#task.again) await target.removeTemporary(at, this.#temporary);
        const there = await target.look(at, name);
        if (this.#linkTo) {
          if (there && this.#turnTo(there))
            return this.#linked(index, (await this.#isLeft(at, name, there, found)) ? 'left' : 'written');
          if (there && this.#context.constants.overwrite === 'never') return 'left';
        } else {
          const kept = await keepThere(this.#context, at, name, there, found, this.#ownNames);
          if (kept) {
            // What is somebody else's by its name alone gets no links.
            if (!there || this.#context.constants.overwrite === 'never') return 'left';
            // The other names are linked to this one: all that it has are of this file.
            this.#linkTo = { at, name, ...identityOf(there), close: () => target.calls.close(at) };
            isKept = true;
            return this.#linked(index, kept.outcome);
          }
          if (!(await this.#make(found))) return undefined;
        }
        return await this.#link(index, at, name, there, found);
      } finally {
        if (!isKept) await target.calls.close(at);
      }
    } catch (error) {
      return problemOf(joinPath(place.path, name), error);
    }
  }

  /** Whether a name of the file, which has no names of others, was there already. */
  async #isLeft(at: number, name: Buffer, there: FileStatus, found: FoundInode): Promise<boolean> {
    const { target, constants } = this.#context;
    const readLink = () => target.calls.readLink(at, name);
    return (await fateOf(constants, there, found, readLink, () => there.linkCount)) !== 'written';
  }

  /**
   * Names of the group that a file has which was there. Where these are all that it has, no other group takes it for its
   * own at the same time: one of the names that it counts would be missing there.
   */
  readonly #ownNames = async (there: FileStatus): Promise<number> => {
    this.#namesThere ??= await this.#countNames();
    return this.#namesThere.get(textOf(there)) ?? 0;
  };

  async #countNames(): Promise<ReadonlyMap<string, number>> {
    const { target, stop } = this.#context;
    const counts = new Map<string, number>();
    for (const place of [...this.#task.names, ...this.#task.further]) {
      if (stop.asked) throw stopped();
      try {
        const at = await target.enter(place);
        try {
          const there = await target.look(at, place.name);
          if (there) counts.set(textOf(there), (counts.get(textOf(there)) ?? 0) + 1);
        } finally {
          await target.calls.close(at);
        }
      } catch (error) {
        // What is wrong with a name is told when that is dealt with.
        problemOf(joinPath(place.path, place.name), error);
      }
    }
    return counts;
  }

  /** Writes the file that the names are linked to. @returns false when that is to be done in parts */
  async #make(found: FoundInode): Promise<boolean> {
    const { target } = this.#context;
    const blocks = largeBlocks(this.#context, found);
    if (blocks !== undefined) {
      this.large = { sizeBytes: fileSize(found), blocks };
      return false;
    }
    try {
      this.bytes += await createEntry(this.#context, new EntryPlace(target.root), this.#file, found);
      await target.flush();
      await giveTimes(this.#context, target.root, this.#file, found.inode.attributes);
      // A name is all that tells a whole file then.
      if (this.#context.constants.overwrite === 'never') await target.flush();
    } catch (error) {
      this.#unusable = problemOf(this.#file, error);
      throw error;
    }
    const made = await target.calls.statAt(target.root, this.#file);
    this.#linkTo = { at: target.root, name: this.#file, ...identityOf(made), close: () => undefined };
    return true;
  }

  async #link(
    index: number,
    at: number,
    name: Buffer,
    there: FileStatus | undefined,
    found: FoundInode,
  ): Promise<'written' | 'replaced' | 'left'> {
    const { target } = this.#context;
    const { calls } = target;
    if (!this.#linkTo) throw new Error('There is nothing to link to.');
    if (there) requireReplaceable(there);
    if (await this.#makeLink(at, there ? this.#temporary : name)) {
      if (there) await rename(this.#context, at, this.#temporary, name);
      return this.#linked(index, there ? 'replaced' : 'written');
    }
    const made = await makeEntry(this.#context, new EntryPlace(at), name, found, () => this.#temporary, this.#ownNames);
    const written = 'outcome' in made ? made : await this.#finish(made);
    this.bytes += written.bytes;
    // Something has the name by now that is not looked at.
    if (written.outcome === 'left' && this.#context.constants.overwrite === 'never') return 'left';
    // Further names are linked to this one: it is the latest that has room for them.
    const again = await target.enter(this.#task.names[index]);
    try {
      const own = await calls.statAt(again, name);
      await this.#before?.close();
      this.#before = this.#linkTo;
      this.#linkTo = { at: again, name, ...identityOf(own), close: () => calls.close(again) };
    } catch (error) {
      await calls.close(again);
      throw error;
    }
    return this.#linked(index, written.outcome);
  }

  async #finish(made: Made): Promise<Written> {
    await this.#context.target.flush();
    return finishEntry(this.#context, made);
  }

  /** @returns whether the name is one of a file that is known now */
  async #makeLink(at: number, name: Buffer): Promise<boolean> {
    const { calls } = this.#context.target;
    for (const origin of [this.#linkTo, this.#before]) {
      if (!origin) continue;
      try {
        await calls.makeLink(origin.at, origin.name, at, name);
        if (origin === this.#before) this.#turn();
        return true;
      } catch (error) {
        if (!(error instanceof PosixError && NOT_LINKABLE.has(error.errno))) throw error;
        // The other one is on another file system.
        if (error.errno !== 'EXDEV') return false;
      }
    }
    return false;
  }

  /** Whether what is there is a file that names are linked to; further ones are linked to it then. */
  #turnTo(there: FileStatus): boolean {
    if (this.#before && textOf(this.#before) === textOf(there)) this.#turn();
    return this.#linkTo !== undefined && textOf(this.#linkTo) === textOf(there);
  }

  #turn(): void {
    [this.#linkTo, this.#before] = [this.#before, this.#linkTo];
  }

  /** A name is one of the latest file. A further file of which names are is a copy. */
  #linked<T>(index: number, outcome: T): T {
    if (!this.#linkTo) return outcome;
    // The temporary file is found by its name: what is recorded is the one beside it, as on another file system.
    if (this.#linkTo.name !== this.#file || !this.#before) this.origin = { index, inode: this.#linkTo.inode };
    const { size } = this.#files;
    if (this.#files.add(textOf(this.#linkTo)).size > Math.max(1, size)) this.copies.push(index);
    return outcome;
  }
}
