import {
  type ContainerReader,
  type FoundInode,
  joinPath,
  type ObjectBlob,
  ObjectType,
  type PendingDirectories,
  type PendingDirectory,
  sortedEntries,
} from '../../index.js';

/** Directories below one whose inodes are waited for together. */
const DIRECTORIES_AHEAD = 256;

/** An entry of a directory, as far as it could be read. */
export interface ListedItem {
  readonly name: Buffer;
  readonly path: Buffer;
  /** undefined where nothing of it is to be shown, or it cannot be read: then `error` says why. */
  readonly found: FoundInode | undefined;
  readonly error: unknown;
}

/** What comes next in a listing: a directory, an entry that is being read, or what could not be read. */
export type ListingStep =
  | { readonly kind: 'directory'; readonly path: Buffer }
  | { readonly kind: 'entry'; readonly item: Promise<ListedItem> }
  | { readonly kind: 'damage'; readonly path: Buffer; readonly error: unknown };

/** What is listed. */
export interface ListingWish {
  /** With `.` and `..`, and names that begin with a dot. */
  readonly all: boolean;
  /** And what is in the directories below. */
  readonly recursive: boolean;
  /** More than names is shown. */
  readonly attributes: boolean;
}

/**
 * Goes over directories, each sorted by name and followed by those below it. It goes on while entries are read, as long
 * as the container has room for requests.
 *
 * @param pending the directories
 * @param below empty; used for those below one
 * @throws whatever the container throws beside `format` and `not-found`
 */
export async function* listingSteps(
  reader: ContainerReader,
  { pending, below }: { readonly pending: PendingDirectories; readonly below: PendingDirectories },
  wish: ListingWish,
): AsyncGenerator<ListingStep> {
  for (let next = pending.pop(); next; next = pending.pop()) {
    yield { kind: 'directory', path: next.path };
    const directories: Promise<ListedItem>[] = [];
    for await (const { name, handle, error } of entriesOf(reader, next)) {
      if (error !== undefined) yield { kind: 'damage', path: next.path, error };
      if (handle === undefined || (!wish.all && name[0] === 0x2e)) continue;
      const busy = reader.container.ready();
      if (busy) await busy;
      const blob = wish.recursive ? await reader.finder.find(handle) : undefined;
      const mayBeEntered = wish.recursive && !isDots(name) && mayBeDirectory(blob);
      const item = read(
        name,
        joinPath(next.path, name),
        wish.attributes || mayBeEntered ? reader.inode(handle, blob) : undefined,
      );
      yield { kind: 'entry', item };
      if (!mayBeEntered) continue;
      directories.push(item);
      if (directories.length > DIRECTORIES_AHEAD) yield* meet(await directories.shift(), below);
    }
    for (const directory of directories) yield* meet(await directory, below);
    pending.take(below);
  }
}

/** Has a directory gone over later. */
function* meet(item: ListedItem | undefined, below: PendingDirectories): Generator<ListingStep> {
  if (item?.found?.inode.attributes.type !== ObjectType.directory) return;
  try {
    below.push(item.path, item.found);
  } catch (error) {
    yield { kind: 'damage', path: item.path, error };
  }
}

type NamedEntry =
  | { readonly name: Buffer; readonly handle: Uint8Array; readonly error?: undefined }
  | { readonly name: Buffer; readonly handle?: undefined; readonly error: unknown };

/** Entries of a directory, sorted by name; and why some could not be read. */
async function* entriesOf(reader: ContainerReader, directory: PendingDirectory): AsyncGenerator<NamedEntry> {
  let problem: unknown;
  try {
    const found = await directory.read();
    for await (const { name, handle } of sortedEntries(reader, found, (error) => {
      problem = error;
    }))
      yield { name: Buffer.from(name), handle };
  } catch (error) {
    problem = error;
  }
  if (problem !== undefined) yield { name: Buffer.alloc(0), error: problem };
}

async function read(name: Buffer, path: Buffer, inode: Promise<FoundInode> | undefined): Promise<ListedItem> {
  try {
    return { name, path, found: inode && (await inode), error: undefined };
  } catch (error) {
    return { name, path, found: undefined, error };
  }
}

/** Whether its name, or that it is not known by one, leaves it possible. */
function mayBeDirectory(blob: ObjectBlob | undefined): boolean {
  return blob === undefined || blob.key.type === ObjectType.directory || blob.key.nameVersion === 1;
}

function isDots(name: Buffer): boolean {
  return name.equals(DOT) || name.equals(DOT_DOT);
}

const DOT = Buffer.from('.');
const DOT_DOT = Buffer.from('..');
