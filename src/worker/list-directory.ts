import { setImmediate } from 'node:timers/promises';
import type { PartSink } from '../engine/kinds.js';
import { ClfsError } from '../error.js';
import { type EntryType, ObjectType } from '../format/ids.js';
import { LONGEST_NAME_BYTES } from '../format/limits.js';
import { packAttributes } from '../format/packed-attributes.js';
import type { FailureReason, ListedEntry, SourceAttributes, SourceDirectory } from '../source/source-tree.js';
import { isUnchanged } from '../source/unchanged.js';
import { type ByteSet, SpilledSet } from '../spill/spilled-set.js';
import { inDirectory, type WorkContext } from './context.js';
import { hasClampedTime, toAttributes } from './file-attributes.js';
import { CHUNK_ENTRIES, EntryPacker } from './packed-entries.js';
import { problemOf } from './problem.js';
import { hasItsName, lookUntilSettled } from './settled-looks.js';
import { directoryAttributes, EntryLooks, listing, lookAtDirectory, stillListed } from './source-looks.js';
import type { ListPart, ListResult, ListTask, LookResult, LookTask } from './tasks.js';
import { countUnstorable, NOTHING_UNSTORABLE, type UnstorableCount } from './unstorable-count.js';

/** Entries after which a long listing is handed on and others get their turn. */
const PART_ENTRIES = 8192;
const MOST_ATTEMPTS = 3;
/** Names of a directory, in memory. */
const NAMES_BYTES = 32 * 1048576;
/** Entries after which others get their turn. */
const TURN_ENTRIES = 256;

/** Lists a directory; again from the start, a few times, when it changes meanwhile. */
export async function listDirectory(
  task: ListTask,
  context: WorkContext,
  tell: PartSink<ListPart>,
): Promise<ListResult> {
  const openedMs = context.clock.now();
  let isFirst = true;
  try {
    return await inDirectory(context, task.place, async (directory) => {
      const { after, isUnchangedSince } = await listWhole(directory, task, context, tell, !isFirst).finally(() => {
        isFirst = false;
      });
      // One that was moved away or removed has attributes that it never had under its name.
      if (!isUnchangedSince || !hasItsName(context, after, openedMs))
        await lookAtDirectory(context, Buffer.from(task.place.path), after);
      return {
        attributes: packAttributes(toAttributes(after, context.constants, 0, 0)),
        device: after.device,
        bornNs: after.bornNs,
        clampedTimes: hasClampedTime(after),
        failure: undefined,
      };
    });
  } catch (error) {
    const failure = problemOf(error, 1);
    return { attributes: new Uint8Array(0), device: '', bornNs: 0n, clampedTimes: false, failure };
  }
}

/**
 * @param restart whether parts have been told already, which are void now
 * @returns attributes of the directory at the end of its listing, and whether they are those of the first look
 */
async function listWhole(
  directory: SourceDirectory,
  task: ListTask,
  context: WorkContext,
  tell: PartSink<ListPart>,
  restart: boolean,
): Promise<{ readonly after: SourceAttributes; readonly isUnchangedSince: boolean }> {
  const { path } = task.place;
  const look = () => directoryAttributes(directory, path, context);
  let isSettled = true;
  for (let attempt = 1; ; attempt++) {
    // One that changes all the time is listed all the same, and waited for once: names that come and go are nobody's loss.
    let before: SourceAttributes;
    if (isSettled) ({ seen: before, isSettled } = await lookUntilSettled(context, look));
    else before = await look();
    const names = new SpilledSet(NAMES_BYTES);
    let complete: boolean;
    try {
      complete = await listOnce(directory, task, context, tell, { attempt, restart: restart || attempt > 1, names });
    } finally {
      names.close();
    }
    const after = await directoryAttributes(directory, path, context, true);
    const isSame = isUnchanged(before, after);
    if ((complete && isSettled && isSame) || attempt === MOST_ATTEMPTS)
      return { after, isUnchangedSince: isSame && attempt === 1 };
  }
}

/** Looks at entries that failed before, each anew: it may have another type now, other links, or be gone. */
export async function lookAtEntries(
  task: LookTask,
  context: WorkContext,
  tell: PartSink<ListPart>,
): Promise<LookResult> {
  try {
    return await inDirectory(context, task.place, async (directory) => {
      const part = new PartBuilder(false, false);
      const missing: Missing[] = [];
      const entries = task.names.map((bytes) => ({ name: Buffer.from(bytes), type: undefined }));
      const looks = new EntryLooks(directory, task.place.path, context);
      for (let from = 0; from < entries.length; from += TURN_ENTRIES) {
        const some = entries.slice(from, from + TURN_ENTRIES);
        await looks.prepare(some);
        for (const [at, entry] of some.entries()) {
          const attributes = await looks.at(entry);
          if (!(attributes instanceof ClfsError)) part.add(entry.name, attributes, context);
          else if (mayBeGone(entry.name, attributes)) missing.push({ at: from + at, entry, error: attributes });
          else part.fail(entry, attributes);
        }
        await setImmediate();
      }
      const names = missing.map(({ entry }) => entry.name);
      const isListed = await stillListed(names, directory, task.place.path, context);
      for (const { entry, error } of missing) if (isListed(entry.name)) part.fail(entry, error);
      const vanished = missing.filter(({ entry }) => !isListed(entry.name)).map(({ at }) => at);
      part.end();
      tell(part);
      return { vanished, failure: undefined };
    });
  } catch (error) {
    return { vanished: [], failure: problemOf(error, 1) };
  }
}

/** An entry that is not found by its name. */
interface Missing {
  /** Its place in the task. */
  readonly at: number;
  readonly entry: ListedEntry;
  readonly error: ClfsError;
}

/** There are file systems that list names which are too long for the format, and refuse to look at them. */
function mayBeGone(name: Buffer, { reason }: ClfsError): boolean {
  return reason === 'entry-vanished' || name.length > LONGEST_NAME_BYTES;
}

/**
 * Lists a directory from its start. A name counts once: file systems give it twice when it is made anew meanwhile.
 *
 * @returns false when an entry vanished under the listing, or came twice
 */
async function listOnce(
  directory: SourceDirectory,
  { place: { path }, countUnstorable }: ListTask,
  context: WorkContext,
  tell: PartSink<ListPart>,
  { attempt, restart, names }: { readonly attempt: number; readonly restart: boolean; readonly names: ByteSet },
): Promise<boolean> {
  const { preserveHardLinks } = context.constants.spec;
  const reportVanished = attempt === MOST_ATTEMPTS;
  // Where calls take long it is left to the sizing pass.
  const counts = countUnstorable && !context.pace.isAsync;
  const looks = new EntryLooks(directory, path, context);
  const isPlain = ({ type }: ListedEntry) => type !== undefined && type !== ObjectType.directory && !preserveHardLinks;
  if (!context.pace.isAsync) context.pace.begin();
  let part = new PartBuilder(restart, counts);
  // Every other directory is an entry of one.
  if (path.length === 0) part.look(directory, path, DOT);
  let complete = true;
  for await (const batch of listing(directory, path, context)) {
    await looks.prepare(batch.filter((entry) => !entry.excluded && !isPlain(entry)));
    for (const entry of batch) {
      if (entry.excluded) {
        part.excluded++;
        continue;
      }
      if (!names.add(entry.name)) {
        complete = false;
        continue;
      }
      part.look(directory, path, entry.name);
      const { type } = entry;
      if (type !== undefined && isPlain(entry)) {
        part.addPlain(entry.name, type);
        continue;
      }
      const looked = looks.at(entry);
      const attributes = looked instanceof Promise ? await looked : looked;
      if (!(attributes instanceof ClfsError)) part.add(entry.name, attributes, context);
      else if (attributes.reason === 'entry-vanished' && !reportVanished) complete = false;
      else part.fail(entry, attributes);
    }
    if (part.entries >= PART_ENTRIES) {
      part.end();
      tell(part);
      part = new PartBuilder(false, counts);
      await setImmediate();
    }
  }
  part.end();
  if (part.entries > 0 || part.failures.length > 0 || part.excluded > 0 || part.restart || counts) tell(part);
  return complete;
}

const DOT = Buffer.from('.');

class PartBuilder implements ListPart {
  readonly restart: boolean;
  readonly chunks: { count: number; entries: Uint8Array }[] = [];
  readonly directories: ListPart['directories'][number][] = [];
  readonly links: ListPart['links'][number][] = [];
  readonly failures: ListPart['failures'][number][] = [];
  unstorable: UnstorableCount | undefined;
  excluded = 0;
  entries = 0;

  readonly #packer = new EntryPacker();

  constructor(restart: boolean, counts: boolean) {
    this.restart = restart;
    this.unstorable = counts ? NOTHING_UNSTORABLE : undefined;
  }

  /** Counts what of an entry the format cannot hold, where that is asked for. */
  look(directory: SourceDirectory, path: Uint8Array, name: Buffer): void {
    this.unstorable &&= countUnstorable(this.unstorable, directory, path, name);
  }

  add(name: Buffer, attributes: SourceAttributes, context: WorkContext): void {
    const { type, device, inode, bornNs } = attributes;
    if (!this.#fits(name, type)) return;
    if (type === ObjectType.directory) this.directories.push({ name, device, inode, bornNs });
    else if (context.constants.spec.preserveHardLinks && attributes.linkCount > 1)
      this.links.push({ name, type, device, inode });
    else {
      this.addPlain(name, type);
      return;
    }
    this.entries++;
  }

  addPlain(name: Buffer, type: EntryType): void {
    if (!this.#fits(name, type)) return;
    this.#packer.add(type, name);
    if (this.#packer.count === CHUNK_ENTRIES) this.chunks.push(this.#packer.take());
    this.entries++;
  }

  #fits(name: Buffer, type: EntryType): boolean {
    if (name.length <= LONGEST_NAME_BYTES) return true;
    const message = `its name has ${name.length} bytes; the format has names of at most ${LONGEST_NAME_BYTES}`;
    this.failures.push({ name, type, reason: 'name-too-long', message });
    return false;
  }

  fail(entry: ListedEntry, error: ClfsError): void {
    const { name, type } = entry;
    const { message } = error;
    this.failures.push({ name, type: type ?? ObjectType.regular, reason: error.reason as FailureReason, message });
  }

  /** Nothing more is added. */
  end(): void {
    if (this.#packer.count > 0) this.chunks.push(this.#packer.take());
  }
}
