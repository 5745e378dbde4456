import { hash64Hex } from '../format/hash.js';
import { ENTRY_TYPE_NAMES, idHex, ObjectType } from '../format/ids.js';
import type { ObjectBlob } from '../namespace/object-blob.js';
import { SpilledMap } from '../spill/spilled-map.js';
import type { FsckContext } from './fsck-context.js';

/**
 * Compares the back pointers of inodes with the directory entries that refer to them, those in directories that cannot
 * be read left out.
 */
export async function checkLinks(context: FsckContext): Promise<void> {
  const { report, turns } = context;
  for (const { path, name, backPointers, referrers, named } of context.links.tallies()) {
    await turns.next();
    const wanted = await hexOfRead(context, backPointers);
    const actual = await hexOfRead(context, referrers);
    if (wanted.length !== actual.length || wanted.some((id, at) => id !== actual[at])) {
      report(
        'error',
        'link-count',
        path,
        name,
        `The inode has back pointers to ${wanted.length} links; ${actual.length} directory entries refer to it${wanted.length === actual.length ? ', from other directories' : ''}.`,
      );
    }
    if (!named && wanted.length === backPointers.length)
      report('warning', 'name-record', path, name, 'The NAME record is that of none of its directory entries.');
  }
}

/** Ids of the directories whose entries are all known, sorted. */
async function hexOfRead({ withoutRoot }: FsckContext, directories: readonly Uint8Array[]): Promise<readonly string[]> {
  const read: string[] = [];
  for (const id of directories) if (withoutRoot === undefined || (await withoutRoot.isRead(id))) read.push(idHex(id));
  return read.sort();
}

/** Tells of every object that nothing refers to. */
export async function checkOrphans(context: FsckContext): Promise<void> {
  const { used, report, turns } = context;
  const owners = context.withoutRoot ? await ownersOfUnused(context) : undefined;
  try {
    for await (const page of used.rest()) {
      for (const blob of page) {
        await turns.next();
        const { id, nameVersion, type, ownerHash } = blob.key;
        const what = nameVersion === 1 ? 'object of a kind that loaders do not write' : describeType(type);
        if (isUnknownKind(blob))
          report('warning', 'unknown-kind', undefined, blob.name, `An ${what} ${idHex(id)}, which is left alone.`);
        else {
          const text = owners
            ? orphanText(what, type, isThere(owners.get(hashBytes(ownerHash))))
            : `Nothing refers to this ${what}.`;
          report('error', 'orphan', undefined, blob.name, text);
        }
      }
    }
  } finally {
    owners?.close();
  }
}

/** What a type of object is called. */
function describeType(type: number): string {
  if (type === ObjectType.segment) return 'segment';
  if (type === ObjectType.indirect) return 'indirect block';
  return type < ENTRY_TYPE_NAMES.length ? `${ENTRY_TYPE_NAMES[type]} inode` : `object of type ${type}`;
}

function isUnknownKind({ key }: ObjectBlob): boolean {
  return (
    key.nameVersion === 1 ||
    key.type === ObjectType.tombstone ||
    key.type === ObjectType.special ||
    key.type === ObjectType.hardLink
  );
}

/** Whether the owners of what nothing refers to are in the container: by hash, since names tell no more. */
async function ownersOfUnused({ index, used, turns }: FsckContext): Promise<SpilledMap> {
  const owners = new SpilledMap();
  for await (const page of used.rest()) {
    for (const { key } of page) {
      await turns.next();
      owners.set(hashBytes(key.ownerHash), NOT_THERE);
    }
  }
  if (owners.size === 0) return owners;
  for await (const page of index.all()) {
    for (const { key } of page) {
      await turns.next();
      const hash = hashBytes(hash64Hex(key.id));
      if (owners.has(hash)) owners.set(hash, THERE);
    }
  }
  return owners;
}

const NOT_THERE = Buffer.from([0]);
const THERE = Buffer.from([1]);

function isThere(value: Uint8Array | undefined): boolean {
  return value !== undefined && value[0] === 1;
}

/** The hash of an id, as names have it, as a key for sets and maps. */
export function hashBytes(hex: string): Buffer {
  return Buffer.from(hex, 'hex');
}

function orphanText(what: string, type: number, ownerIsThere: boolean): string {
  if (type < ObjectType.segment) return `Its directory is in the container and does not list this ${what}.`;
  return ownerIsThere
    ? `No block map names this ${what}: the inode that it belongs to does not, or cannot be read, or is an orphan too.`
    : `No block map names this ${what}: the inode that it belongs to is not in the container. It was not written before the load stopped, or it is lost.`;
}
