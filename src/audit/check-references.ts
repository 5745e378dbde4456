import { ENTRY_TYPE_NAMES, ObjectType } from '../format/ids.js';
import type { ObjectBlob } from '../namespace/object-finder.js';
import type { FsckContext } from './fsck-context.js';

/** Compares the back pointers of inodes with the directory entries that refer to them, those in directories that cannot be read left out. */
export async function checkLinks({ links, report, turns, withoutRoot }: FsckContext): Promise<void> {
  for (const { path, name, backPointers, referrers, named } of links.values()) {
    await turns.next();
    const isRead = (id: string) => withoutRoot === undefined || withoutRoot.isRead(id);
    const wanted = backPointers.filter(isRead).sort();
    const actual = referrers.filter(isRead).sort();
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

/** Tells of every object that nothing refers to. */
export async function checkOrphans(context: FsckContext): Promise<void> {
  const { index, used, report, turns } = context;
  const owners = context.withoutRoot ? await ownersOfUnused(context) : undefined;
  for (const [hex, blob] of index.objects) {
    await turns.next();
    if (used.has(blob)) continue;
    const { nameVersion, type, ownerHash } = blob.key;
    const what = nameVersion === 1 ? 'object of a kind that loaders do not write' : describeType(type);
    if (isUnknownKind(blob)) report('warning', 'unknown-kind', undefined, blob.name, `An ${what} ${hex}, which is left alone.`);
    else report('error', 'orphan', undefined, blob.name, owners ? orphanText(what, type, owners.get(ownerHash)) : `Nothing refers to this ${what}.`);
  }
}

/** What a type of object is called. */
function describeType(type: number): string {
  if (type === ObjectType.segment) return 'segment';
  if (type === ObjectType.indirect) return 'indirect block';
  return `${ENTRY_TYPE_NAMES[type] ?? `object of type ${type}`} inode`;
}

function isUnknownKind({ key }: ObjectBlob): boolean {
  return key.nameVersion === 1 || key.type === ObjectType.tombstone || key.type === ObjectType.special || key.type === ObjectType.hardLink;
}

/** Whether the owners of what nothing refers to are in the container: by hash, since names tell no more. */
async function ownersOfUnused({ index, used, turns }: FsckContext): Promise<ReadonlyMap<string, boolean>> {
  const owners = new Map<string, boolean>();
  for (const blob of index.objects.values()) {
    await turns.next();
    if (!used.has(blob)) owners.set(blob.key.ownerHash, false);
  }
  if (owners.size === 0) return owners;
  for (const { name } of index.objects.values()) {
    await turns.next();
    const hash = name.slice(0, HASH_CHARACTERS);
    if (owners.has(hash)) owners.set(hash, true);
  }
  return owners;
}

/** Characters of the hash that a name begins with. Source: docs/format.md 3.2 */
export const HASH_CHARACTERS = 16;

function orphanText(what: string, type: number, ownerIsThere: boolean | undefined): string {
  if (type < ObjectType.segment) return `Its directory is in the container and does not list this ${what}.`;
  return ownerIsThere
    ? `No block map names this ${what}: the inode that it belongs to does not, or cannot be read, or is an orphan too.`
    : `No block map names this ${what}: the inode that it belongs to is not in the container. It was not written before the load stopped, or it is lost.`;
}
