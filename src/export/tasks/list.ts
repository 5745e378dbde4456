import type { PartSink } from '../../engine/kinds.js';
import { isClfsError } from '../../error.js';
import { isDot, isDotDot, isSafeName } from '../../format/dirents.js';
import { hintedType, ObjectType } from '../../format/ids.js';
import { packAttributes } from '../../format/packed-attributes.js';
import { SpilledSet } from '../../spill/spilled-set.js';
import { escapePath } from '../../text/escape-path.js';
import { foldedName, type NameFolding, namesPrefix, probeLetterCase, probeNames } from '../target/name-folding.js';
import type { ExportContext } from './context.js';
import type { EntryProblem, ListPart, ListResult, ListTask } from './kinds.js';
import { CHUNK_ENTRIES, EntryPacker } from './packed-entries.js';
import { problemOf } from './problem.js';

/** Entries after which what has been read is handed on. */
const PART_ENTRIES = 8192;
/** Memory for the names of one directory; each of the lanes reads several at a time. */
const SEEN_BYTES = 2 * 1048576;

/** Makes a directory and reads what is in it. */
export async function listDirectory(
  task: ListTask,
  context: ExportContext,
  tell: PartSink<ListPart>,
): Promise<ListResult> {
  const { reader, target, directories, constants } = context;
  const path = Buffer.from(task.path);
  let attributes: Uint8Array | undefined;
  let leaves = false;
  const ended = (problem: EntryProblem | undefined, isStopped = false): ListResult => ({
    attributes,
    problem,
    leaves,
    stopped: isStopped,
  });
  try {
    const found = await reader.inode(Buffer.from(task.handle));
    if (found.inode.attributes.type !== ObjectType.directory) return ended(undefined);
    const giveBack = await directories.take();
    let folding: NameFolding;
    try {
      const { fd, isNew } = await target.enterOrMake(task);
      try {
        // What looks for it there may fail to remove its file.
        leaves = !isNew || constants.isResumed;
        folding = leaves ? await foldingThere(context, task, fd) : task.folding;
        leaves = false;
      } finally {
        await target.calls.close(fd);
      }
    } finally {
      giveBack();
    }
    attributes = packAttributes(found.inode.attributes);
    const part = new PartBuilder(task, path, folding, context, tell);
    try {
      for await (const piece of reader.entries(found)) {
        if (context.stop.asked) return ended(undefined, true);
        for (const { name, handle } of piece) part.add(name, handle);
        part.tellIfLong();
        await reader.pause();
      }
      part.tell();
    } catch (error) {
      // What was read of it counts.
      if (isClfsError(error, 'format', 'not-found')) part.tell();
      throw error;
    } finally {
      part.close();
    }
    return ended(undefined);
  } catch (error) {
    return ended(problemOf(path, error));
  }
}

/**
 * Which names a directory takes for one that was there already, or that an earlier session made, which does not know any
 * more what it had found above it.
 *
 * @throws PosixError
 */
async function foldingThere(
  { target, constants }: ExportContext,
  { path, folding, attempt }: ListTask,
  fd: number,
): Promise<NameFolding> {
  // It was asked before the job began.
  if (path.length === 0) return folding;
  const prefix = namesPrefix(constants.temporaryPrefix, attempt);
  // A session that died may have left any file of this.
  if (!constants.isResumed && !target.isMountPoint(path)) {
    const letterCase = await probeLetterCase(target.calls, fd, prefix);
    // In one file system a directory is another one than that above it in both, or in none.
    if (letterCase === undefined || letterCase === folding.letterCase) return folding;
  }
  return (await probeNames(target.calls, fd, prefix)) ?? folding;
}

class PartBuilder {
  readonly #skipped: number;
  readonly #prefix: string;
  readonly #shown: string;
  readonly #folding: NameFolding;
  readonly #context: ExportContext;
  readonly #tell: PartSink<ListPart>;
  /** Names of the directory: one that comes twice would be written twice. */
  readonly #seen = new SpilledSet(SEEN_BYTES);
  #position = 0;
  #told: number;
  #chunks: { count: number; entries: Uint8Array }[] = [];
  #directories: ListPart['directories'][number][] = [];
  #failures: ListPart['failures'][number][] = [];
  #excluded = 0;
  readonly #packer = new EntryPacker();

  constructor(
    { listed }: ListTask,
    path: Buffer,
    folding: NameFolding,
    context: ExportContext,
    tell: PartSink<ListPart>,
  ) {
    this.#skipped = listed;
    this.#folding = folding;
    this.#told = listed;
    this.#prefix = path.length === 0 ? '' : `${path.toString('latin1')}/`;
    this.#shown = escapePath(path) || '.';
    this.#context = context;
    this.#tell = tell;
  }

  add(bytes: Uint8Array, handle: Uint8Array): void {
    if (isDot(bytes) || isDotDot(bytes)) return;
    this.#position++;
    const name = Buffer.from(bytes);
    const folding = this.#folding;
    const { chooser } = this.#context;
    const isDirectory = hintedType(handle) === ObjectType.directory;
    const isTaken = chooser.takes(this.#prefix, name);
    // What is not written takes no name from another one.
    const isWritten = isTaken && (isDirectory || chooser.takesFile(name));
    const isRepeated = isWritten && !this.#seen.add(foldedName(name, folding));
    if (this.#position <= this.#skipped) return;
    if (!isSafeName(name))
      this.#failures.push({
        name,
        reason: 'name-unusable',
        message: `the directory ${this.#shown} has an entry whose name cannot be one`,
      });
    else if (isRepeated)
      this.#failures.push({
        name,
        reason: 'name-repeated',
        message:
          folding.letterCase || folding.unicodeForm
            ? `the name is in the directory ${this.#shown} twice, or another one that the target does not tell from it`
            : `the name is in the directory ${this.#shown} twice`,
      });
    else if (!isTaken) this.#excluded++;
    else if (isDirectory) this.#directories.push({ name, handle: Buffer.from(handle) });
    else this.#addFile(name, handle);
  }

  tellIfLong(): void {
    if (this.#position - this.#told >= PART_ENTRIES) this.tell();
  }

  tell(): void {
    if (this.#position <= this.#told) return;
    if (this.#packer.count > 0) this.#chunks.push(this.#packer.take());
    this.#told = this.#position;
    this.#tell({
      listed: this.#position,
      folding: this.#folding,
      chunks: this.#chunks,
      directories: this.#directories,
      failures: this.#failures,
      excluded: this.#excluded,
    });
    this.#chunks = [];
    this.#directories = [];
    this.#failures = [];
    this.#excluded = 0;
  }

  /** Nothing is added any more. */
  close(): void {
    this.#seen.close();
  }

  #addFile(name: Buffer, handle: Uint8Array): void {
    this.#packer.add(name, handle);
    if (this.#packer.count === CHUNK_ENTRIES) this.#chunks.push(this.#packer.take());
  }
}
