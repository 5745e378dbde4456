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
  finishEntry,
  giveTimes,
  hasTypeAndLength,
  isWhole,
  largeBlocks,
  makeEntry,
  rename,
  requireReplaceable,
  staysAsItIs,
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
    const nothing = { outcomes: [], bytes: 0, type: undefined, origin: undefined, large: undefined };
    return { ...nothing, originGone: group.originGone, broken };
  }
  const { outcomes, bytes, type, origin, originGone, large, broken } = group;
  return { outcomes, bytes, type, origin, originGone, large, broken };
}

/** Name of the file, in the root, to which the names of a group are linked. */
function groupFile({ constants }: ExportContext, group: number): Buffer {
  return Buffer.from(`${constants.temporaryPrefix}g${group}`);
}

/** What tells a file from another one. */
function identityOf({ inode, device }: FileStatus): Pick<Origin, 'inode' | 'device'> {
  return { inode, device };
}

class GroupInProgress {
  readonly outcomes: LinkedResult['outcomes'][number][] = [];
  bytes = 0;
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
    if (last) await target.removeTemporary(target.root, this.#file);
  }

  async close(): Promise<void> {
    await this.#linkTo?.close();
  }

  /**
   * What was written before, by an earlier task or an earlier try of this one: the one is known by its inode number, the
   * other by what it gets last.
   *
   * @returns false when what is recorded is not there any more
   */
  async #takeOrigin(found: FoundInode): Promise<boolean> {
    const { target } = this.#context;
    const { attributes } = found.inode;
    const { origin } = this.#task;
    const isOrigin = (status: FileStatus) => status.inode === origin?.inode && hasTypeAndLength(status, attributes);
    const there = await target.look(target.root, this.#file);
    if (there && (isOrigin(there) || isWhole(there, attributes))) {
      this.#linkTo = { at: target.root, name: this.#file, ...identityOf(there), close: () => undefined };
      return true;
    }
    if (!origin) {
      if (there) await target.removeTemporary(target.root, this.#file);
      return true;
    }
    try {
      const at = await target.enter(origin.path);
      const status = await target.look(at, origin.name);
      if (status && isOrigin(status))
        this.#linkTo = { at, name: origin.name, ...identityOf(status), close: () => target.calls.close(at) };
      else await target.calls.close(at);
    } catch (error) {
      // Its directory cannot be reached any more: the file is written again.
      problemOf(Buffer.from(origin.path), error);
    }
    return this.#linkTo !== undefined;
  }

  /** @returns undefined when the content has to be written in parts first */
  async #name(
    index: number,
    { path, name: bytes }: TargetName,
    found: FoundInode,
  ): Promise<'written' | 'replaced' | 'left' | EntryProblem | undefined> {
    const { target } = this.#context;
    const name = Buffer.from(bytes);
    try {
      const at = await target.enter(path);
      try {
        if (this.#context.constants.isResumed || this.#task.again) await target.removeTemporary(at, this.#temporary);
        const there = await target.look(at, name);
        if (this.#linkTo) {
          if (there?.inode === this.#linkTo.inode && there.device === this.#linkTo.device)
            return this.#linked(index, 'written');
          if (there && this.#context.constants.overwrite === 'never') return 'left';
        } else {
          if (staysAsItIs(this.#context, there, found.inode.attributes)) return 'left';
          if (!(await this.#make(found))) return undefined;
        }
        return await this.#link(index, at, name, there, found);
      } finally {
        await target.calls.close(at);
      }
    } catch (error) {
      return problemOf(joinPath(path, name), error);
    }
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
    let isLinked = true;
    try {
      await calls.makeLink(this.#linkTo.at, this.#linkTo.name, at, there ? this.#temporary : name);
    } catch (error) {
      if (!(error instanceof PosixError && NOT_LINKABLE.has(error.errno))) throw error;
      isLinked = false;
    }
    if (isLinked) {
      if (there) await rename(this.#context, at, this.#temporary, name);
      return this.#linked(index, there ? 'replaced' : 'written');
    }
    const made = await makeEntry(this.#context, new EntryPlace(at), name, found, () => this.#temporary);
    if (!made) return 'left';
    await target.flush();
    const written = await finishEntry(this.#context, made);
    this.bytes += written.bytes;
    if (written.outcome === 'left') return 'left';
    // Further names are linked to this one: it is the latest that has room for them.
    const again = await target.enter(this.#task.names[index].path);
    try {
      const own = await calls.statAt(again, name);
      await this.#linkTo.close();
      this.#linkTo = { at: again, name, ...identityOf(own), close: () => calls.close(again) };
    } catch (error) {
      await calls.close(again);
      throw error;
    }
    return this.#linked(index, there ? 'replaced' : 'written');
  }

  #linked<T>(index: number, outcome: T): T {
    if (this.#linkTo) this.origin = { index, inode: this.#linkTo.inode };
    return outcome;
  }
}
