import { setImmediate } from 'node:timers/promises';
import type { PartSink } from '../engine/kinds.js';
import { ClfsError } from '../error.js';
import { type EntryType, ObjectType } from '../format/ids.js';
import { LONGEST_NAME_BYTES } from '../format/limits.js';
import { packAttributes } from '../format/packed-attributes.js';
import type { FailureReason, ListedEntry, SourceAttributes, SourceDirectory } from '../source/source-tree.js';
import { type ByteSet, SpilledSet } from '../spill/spilled-set.js';
import { openPatiently, type WorkContext } from './context.js';
import { hasClampedTime, isUnchanged, toAttributes } from './file-attributes.js';
import { CHUNK_ENTRIES, EntryPacker } from './packed-entries.js';
import { problemOf } from './problem.js';
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
  const giveBack = await context.places.take();
  let directory: SourceDirectory | undefined;
  try {
    const path = Buffer.from(task.place.path);
    directory = await openPatiently(path, () => context.source.openDirectory(path, task.place));
    let before = directory.attributes();
    for (let attempt = 1; ; attempt++) {
      const names = new SpilledSet(NAMES_BYTES);
      let complete: boolean;
      try {
        complete = await listOnce(directory, task, context, tell, attempt, names);
      } finally {
        names.close();
      }
      const after = directory.attributes();
      if ((complete && isUnchanged(before, after)) || attempt === MOST_ATTEMPTS) {
        const attributes = packAttributes(toAttributes(after, context.constants, 0, 0));
        return {
          attributes,
          device: after.device,
          bornNs: after.bornNs,
          clampedTimes: hasClampedTime(after),
          failure: undefined,
        };
      }
      before = after;
    }
  } catch (error) {
    const failure = problemOf(error, 1);
    return { attributes: new Uint8Array(0), device: '', bornNs: 0n, clampedTimes: false, failure };
  } finally {
    directory?.close();
    giveBack();
  }
}

/** Looks at entries that failed before, each anew: it may have another type now, other links, or be gone. */
export async function lookAtEntries(
  task: LookTask,
  context: WorkContext,
  tell: PartSink<ListPart>,
): Promise<LookResult> {
  const giveBack = await context.places.take();
  let directory: SourceDirectory | undefined;
  try {
    const path = Buffer.from(task.place.path);
    directory = await openPatiently(path, () => context.source.openDirectory(path, task.place));
    const part = new PartBuilder(false, false);
    const vanished: number[] = [];
    for (const [position, bytes] of task.names.entries()) {
      const entry = { name: Buffer.from(bytes), type: undefined };
      const attributes = lookAt(directory, entry);
      if (attributes instanceof ClfsError) {
        if (attributes.reason === 'entry-vanished' || isUnlisted(directory, entry.name)) vanished.push(position);
        else part.fail(entry, attributes);
      } else part.add(entry.name, attributes, context);
      if (position % TURN_ENTRIES === TURN_ENTRIES - 1) await setImmediate();
    }
    part.end();
    tell(part);
    return { vanished, failure: undefined };
  } catch (error) {
    return { vanished: [], failure: problemOf(error, 1) };
  } finally {
    directory?.close();
    giveBack();
  }
}

/**
 * Whether a name that is too long for the format is not in the directory: there are file systems that list such names
 * and refuse to look at them.
 */
function isUnlisted(directory: SourceDirectory, name: Buffer): boolean {
  if (name.length <= LONGEST_NAME_BYTES) return false;
  for (const batch of directory.list()) if (batch.some((entry) => entry.name.equals(name))) return false;
  return true;
}

/**
 * Lists a directory from its start. A name counts once: file systems give it twice when it is made anew meanwhile.
 *
 * @param names takes the names that were met
 * @returns false when an entry vanished under the listing, or came twice
 */
async function listOnce(
  directory: SourceDirectory,
  { place: { path }, countUnstorable: counts }: ListTask,
  context: WorkContext,
  tell: PartSink<ListPart>,
  attempt: number,
  names: ByteSet,
): Promise<boolean> {
  const { preserveHardLinks } = context.constants.spec;
  const reportVanished = attempt === MOST_ATTEMPTS;
  let part = new PartBuilder(attempt > 1, counts);
  // Every other directory is an entry of one.
  if (path.length === 0) part.look(directory, path, DOT);
  let complete = true;
  for (const batch of directory.list()) {
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
      if (type !== undefined && type !== ObjectType.directory && !preserveHardLinks) {
        part.addPlain(entry.name, type);
        continue;
      }
      const attributes = lookAt(directory, entry);
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

function lookAt(directory: SourceDirectory, entry: ListedEntry): SourceAttributes | ClfsError {
  try {
    return directory.attributesOf(entry.name);
  } catch (error) {
    if (error instanceof ClfsError && error.code === 'entry') return error;
    throw error;
  }
}
