import type { ClfsError } from '../error.js';
import { isSafeName } from '../format/dirents.js';
import { idHex, isRootId, ObjectType, ROOT_ID } from '../format/ids.js';
import { WITHOUT_ROOT } from '../namespace/reader.js';
import type { WalkedEntry } from '../namespace/walk.js';
import { checkDirectory } from './check-directory.js';
import { checkFile } from './check-file.js';
import { checkInode } from './check-inode.js';
import { UUID } from './check-names.js';
import { type FsckContext, reportDamage } from './fsck-context.js';

/** Checks one entry of a tree that is walked: its inode, what it consists of, and who refers to it. */
export async function checkEntry(context: FsckContext, entry: WalkedEntry): Promise<void> {
  const { found } = entry;
  if (!found) {
    await reportUnread(context, entry);
    return;
  }
  const metBefore = !context.used.add(found.id);
  if (isRootId(entry.handle) && entry.path.length === 0) {
    const { fsid, containerId } = found.inode.attributes;
    context.load = { fsid, containerId };
    const extended = found.inode.extendedAttributes;
    if (
      extended?.get('containeridEpoch') !== '2' ||
      !UUID.test(extended.get('massUUID') ?? '') ||
      !UUID.test(extended.get('wipeEpoch') ?? '')
    ) {
      context.report(
        'error',
        'root-attributes',
        entry.path,
        found.blob.name,
        'The root directory lacks extended attributes that it must have.',
      );
    }
  }
  checkInode(context, entry, found);
  try {
    if (found.inode.attributes.type === ObjectType.directory) await checkDirectory(context, entry, found);
    else if (!metBefore) await checkFile(context, entry, found);
  } catch (error) {
    reportDamage(context, entry.path, found.blob.name, error);
    context.damagedDirectories.add(entry.handle);
  }
}

/** Whether an entry is an error because its directory was entered already. */
export function isEnteredTwice({ error }: WalkedEntry): boolean {
  return error?.message.includes('more than once') === true;
}

async function reportUnread(context: FsckContext, entry: WalkedEntry): Promise<void> {
  const error = entry.error as ClfsError;
  const id = idHex(entry.handle);
  const blob = await context.index.find(entry.handle);
  // An error in the middle of a directory has no name, and comes after the directory itself.
  const inDirectory = entry.name.length === 0 && context.used.has(entry.handle);
  if (blob) context.used.add(entry.handle);
  if (inDirectory && context.damagedDirectories.has(entry.handle)) return;
  // The check of its directory has told of it.
  if (!isSafeName(entry.name) && entry.name.length > 0) return;
  if (entry.path.length === 0 && isRootId(entry.handle) && error.code === 'not-found' && !inDirectory) {
    const unfinished = hasTemporaryRoot(context.index.others());
    context.report(
      'error',
      'no-root',
      undefined,
      id,
      unfinished
        ? `The container has no root directory: its load was not finished (a temporary root is there). ${WITHOUT_ROOT}`
        : `The container has no root directory: its load was not finished, or it is no CLFS container. ${WITHOUT_ROOT}`,
    );
    return;
  }
  const code =
    error.code === 'not-found'
      ? inDirectory
        ? 'missing-object'
        : 'dangling-entry'
      : isEnteredTwice(entry)
        ? 'directory-cycle'
        : 'damaged-object';
  const path = entry.path.length === 0 && !isRootId(entry.handle) ? undefined : entry.path;
  context.report('error', code, path, blob?.name ?? id, error.message);
}

function hasTemporaryRoot(others: Iterable<{ readonly name: string }>): boolean {
  for (const { name } of others) if (name.startsWith('tmp') && name.includes(idHex(ROOT_ID))) return true;
  return false;
}
