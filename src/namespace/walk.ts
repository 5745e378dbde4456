import { ClfsError, isClfsError } from '../error.js';
import { isDot, isDotDot, isSafeName } from '../format/dirents.js';
import { idHex, ObjectType, ROOT_ID } from '../format/ids.js';
import { joinPath } from '../paths/join-path.js';
import type { ByteSet } from '../spill/spilled-set.js';
import type { ContainerReader, FoundInode } from './reader.js';

/** Inodes that are fetched at once. */
const FETCH_AHEAD = 64;
/** No real tree is deeper; a hostile one is cut off here. */
const MOST_DEPTH = 100_000;

/** One entry of a tree that is walked. */
export interface WalkedEntry {
  /** Below where the walk began, joined by `/`; empty for that itself. */
  readonly path: Buffer;
  readonly name: Uint8Array;
  readonly handle: Uint8Array;
  /** Handle of the directory that it is in; its own for the start. */
  readonly parent: Uint8Array;
  /** undefined when it could not be read: `error` says why. */
  readonly found: FoundInode | undefined;
  readonly error: ClfsError | undefined;
}

/**
 * Walks a tree, each directory before what is in it, in the order of the directories' entries.
 *
 * What cannot be read is reported as an entry with an error, and passed over. No directory is entered twice.
 *
 * @param entered ids of directories that were entered already; those that this walk enters are added
 * @throws whatever the container throws beside `format` and `not-found`
 */
export async function* walk(
  reader: ContainerReader,
  start: Uint8Array = ROOT_ID,
  entered?: ByteSet,
): AsyncGenerator<WalkedEntry> {
  if (entered) {
    yield* walkOnce(reader, start, entered);
    return;
  }
  const own = reader.finder.idSet();
  try {
    yield* walkOnce(reader, start, own);
  } finally {
    own.close();
  }
}

async function* walkOnce(reader: ContainerReader, start: Uint8Array, entered: ByteSet): AsyncGenerator<WalkedEntry> {
  const first = await read(reader, { path: Buffer.alloc(0), name: Buffer.alloc(0), handle: start, parent: start });
  const stack: AsyncGenerator<WalkedEntry>[] = [];
  yield first;
  if (first.found && isDirectory(first.found)) {
    entered.add(start);
    stack.push(children(reader, first.found, first.path));
  }
  for (let top = stack.at(-1); top; top = stack.at(-1)) {
    const { value, done } = await top.next();
    if (done) {
      stack.pop();
      continue;
    }
    const entry: WalkedEntry = value;
    if (!entry.found || !isDirectory(entry.found)) {
      yield entry;
      continue;
    }
    if (stack.length >= MOST_DEPTH || !entered.add(entry.handle)) {
      yield {
        ...entry,
        found: undefined,
        error: new ClfsError('format', `The directory ${idHex(entry.handle)} is in the tree more than once.`),
      };
      continue;
    }
    yield entry;
    stack.push(children(reader, entry.found, entry.path));
  }
}

type Reference = Pick<WalkedEntry, 'path' | 'name' | 'handle' | 'parent'>;

async function* children(reader: ContainerReader, directory: FoundInode, path: Buffer): AsyncGenerator<WalkedEntry> {
  const ahead: Promise<WalkedEntry>[] = [];
  try {
    for await (const piece of reader.entries(directory)) {
      for (const { name, handle } of piece) {
        if (isDot(name) || isDotDot(name)) continue;
        if (ahead.length >= FETCH_AHEAD) yield await (ahead.shift() as Promise<WalkedEntry>);
        const reference = { path: joinPath(path, name), name, handle, parent: directory.id };
        const entry = isSafeName(name)
          ? read(reader, reference)
          : Promise.resolve({
              ...reference,
              found: undefined,
              error: new ClfsError(
                'format',
                `The directory ${directory.blob.name} has an entry whose name cannot be one.`,
              ),
            });
        entry.catch(() => undefined);
        ahead.push(entry);
      }
    }
  } catch (error) {
    if (!isClfsError(error, 'format', 'not-found')) throw error;
    while (ahead.length > 0) yield await (ahead.shift() as Promise<WalkedEntry>);
    yield { path, name: Buffer.alloc(0), handle: directory.id, parent: directory.id, found: undefined, error };
    return;
  }
  while (ahead.length > 0) yield await (ahead.shift() as Promise<WalkedEntry>);
}

async function read(reader: ContainerReader, reference: Reference): Promise<WalkedEntry> {
  try {
    return { ...reference, found: await reader.inode(reference.handle), error: undefined };
  } catch (error) {
    if (!isClfsError(error, 'format', 'not-found')) throw error;
    return { ...reference, found: undefined, error };
  }
}

function isDirectory(found: FoundInode): boolean {
  return found.inode.attributes.type === ObjectType.directory;
}
