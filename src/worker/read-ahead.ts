import { fileBlockCount } from '../format/geometry.js';
import { isOutOfDescriptors, patiently } from '../posix/descriptors.js';
import type { AsyncSourceDirectory, AsyncSourceFile, SourceAttributes, SourceFile } from '../source/source-tree.js';
import type { SourceTurn } from '../source/source-turns.js';
import { isUnchanged } from '../source/unchanged.js';
import type { WorkContext } from './context.js';
import { changedEachTime, checked, type Item, MOST_ATTEMPTS } from './item.js';
import { asideOf, hasItsName, lookAtSettled } from './settled-looks.js';

/** Calls for a small file, one after another: open, look, read, look, close. The first look may be free. */
const CALLS_A_FILE = 5;

/** What objects are built of. */
export type ReadFile = Pick<SourceFile, 'read' | 'isUnchanged'>;

/** A file that has been read whole and found unchanged, and closed; of a large one nothing has been read. */
interface FileAhead {
  /** How many calls of the source that took; undefined: it has not been read. */
  readonly calls: number | undefined;
  readonly before: SourceAttributes;
  readonly file: ReadFile;
  /** Gives back the memory that it was read into. */
  release(): void;
}

/**
 * Reads a file whole by calls that leave the lane free, looks at it a second time, and closes it. Ends its turn then.
 *
 * @throws ClfsError `entry` when it cannot be read, or changes each time
 */
export async function readAhead(
  directory: AsyncSourceDirectory,
  item: Item,
  context: WorkContext,
  turn: SourceTurn,
): Promise<FileAhead> {
  let ahead: FileAhead | typeof OUTDATED | undefined;
  for (let attempt = 1; attempt <= MOST_ATTEMPTS && !ahead; attempt++) {
    ahead = await openAndRead(directory, item, context, turn, true);
    if (ahead === OUTDATED) ahead = await openAndRead(directory, item, context, turn, false);
  }
  if (!ahead || ahead === OUTDATED) throw changedEachTime();
  turn.end(ahead.calls);
  return ahead;
}

/** What the system had in memory of a file was not so any more: that says nothing about whether it changes. */
const OUTDATED = Symbol('outdated');

/**
 * @param mayKnow whether the first look may be at what the system has in memory: the second one is at what the server has
 * @returns undefined when the file changed, or lost its name, while it was open
 */
async function openAndRead(
  directory: AsyncSourceDirectory,
  item: Item,
  context: WorkContext,
  turn: SourceTurn,
  mayKnow: boolean,
): Promise<FileAhead | typeof OUTDATED | undefined> {
  const openedMs = context.clock.now();
  const file = await open(directory, item.sourceName, turn);
  try {
    const look = async () => checked(await file.attributes(), item);
    const known = mayKnow ? knownOf(file, item, context) : undefined;
    const first = known ?? (await look());
    const isNamed = hasItsName(context, first, openedMs);
    if (known && isNamed) return (await readWhole(file, known, context, turn, CALLS_A_FILE - 1)) ?? OUTDATED;
    const before = isNamed ? first : await lookAtSettled(context, look, asideOf(turn));
    const ahead = await readWhole(file, before, context, turn, CALLS_A_FILE);
    if (!ahead || isNamed || ahead.file === NOTHING_READ) return ahead;
    let isSame = false;
    try {
      isSame = isUnchanged(before, await directory.attributesOf(item.sourceName));
    } finally {
      if (!isSame) ahead.release();
    }
    return isSame ? ahead : undefined;
  } finally {
    // Until then it has its descriptor.
    await file.close();
  }
}

/** What the system has in memory of an open file, where that will do: of a small one that has bytes, and may be any. */
function knownOf(file: AsyncSourceFile, item: Item, context: WorkContext): SourceAttributes | undefined {
  if (item.expectedInode !== undefined || item.confirmed) return undefined;
  const known = file.knownAttributes?.();
  return known?.type === item.type && known.sizeBytes > 0n && !isLarge(known, context) ? known : undefined;
}

/** Opens a file; gives the turn up while the process has no descriptor for it. */
async function open(directory: AsyncSourceDirectory, name: Buffer, turn: SourceTurn): Promise<AsyncSourceFile> {
  try {
    return await directory.openFile(name);
  } catch (error) {
    if (!isOutOfDescriptors(error)) throw error;
  }
  const again = async () => {
    await turn.resume();
    try {
      return await directory.openFile(name);
    } catch (error) {
      turn.pause();
      throw error;
    }
  };
  turn.pause();
  return patiently(name, again);
}

/** @returns undefined when the file changed while it was read */
async function readWhole(
  file: AsyncSourceFile,
  before: SourceAttributes,
  context: WorkContext,
  turn: SourceTurn,
  calls: number,
): Promise<FileAhead | undefined> {
  if (isLarge(before, context)) return { calls: undefined, before, file: NOTHING_READ, release: () => undefined };
  const sizeBytes = Number(before.sizeBytes);
  // One byte of room more than the data: reading it tells whether the file has grown.
  const buffer = await takeBuffer(sizeBytes + 1, context, turn);
  let isRead = false;
  try {
    // An empty file is read, too: there are file systems that say so of what has bytes.
    const count = await file.read(buffer.subarray(0, sizeBytes + 1), 0, Math.max(1, sizeBytes));
    isRead = count === sizeBytes && (await file.isUnchanged(before));
    if (!isRead) return undefined;
    const release = () => context.readBuffers.release(buffer);
    return { calls, before, file: alreadyRead(buffer.subarray(0, count)), release };
  } finally {
    if (!isRead) context.readBuffers.release(buffer);
  }
}

function isLarge({ sizeBytes }: SourceAttributes, { constants }: WorkContext): boolean {
  return fileBlockCount(Number(sizeBytes), constants.geometry) > 2;
}

/** Memory to read into; gives the turn up while there is none. */
async function takeBuffer(sizeBytes: number, { readBuffers }: WorkContext, turn: SourceTurn): Promise<Buffer> {
  const taken = readBuffers.acquire(sizeBytes);
  if (taken instanceof Buffer) return taken;
  turn.pause();
  const buffer = await taken;
  await turn.resume();
  return buffer;
}

function alreadyRead(data: Buffer): ReadFile {
  return {
    read: (target, position) => (position >= data.length ? 0 : data.copy(target, 0, position)),
    isUnchanged: () => true,
  };
}

const NOTHING_READ = alreadyRead(Buffer.alloc(0));
