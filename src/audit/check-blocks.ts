import { isClfsError, messageOf } from '../error.js';
import { TREE_COUNT } from '../format/geometry.js';
import { hash64Hex } from '../format/hash.js';
import { BLOCK_ID_BYTES, idHex, isNullId, ObjectType } from '../format/ids.js';
import { FIRST_VERSION } from '../format/names.js';
import { type DirectorySegment, type FileSegment, indirectOffset } from '../format/segment.js';
import type { BlockReference, FoundInode } from '../namespace/reader.js';
import type { WalkedEntry } from '../namespace/walk.js';
import { type FsckContext, reportDamage } from './fsck-context.js';

/** Which blocks an inode's block map was seen to have. */
export interface BlockExtent {
  /** Number of the last block that the map names, whether it is there or not. */
  last: number;
  /** Whether the whole map could be read. */
  complete: boolean;
}

/**
 * Goes over blocks 1 and on of an inode, checks the indirect blocks on the way, and that every segment is there once,
 * under the right name. Source: docs/format.md 6.2, 6.3
 *
 * @returns the segments that are there
 */
export async function* checkBlocks(
  context: FsckContext,
  entry: WalkedEntry,
  found: FoundInode,
  extent: BlockExtent = { last: 0, complete: true },
): AsyncGenerator<BlockReference> {
  const ownerHash = hash64Hex(found.id);
  const { direct, roots } = found.inode.blockMap;
  let block = 1;
  for (; block < direct.length; block++) {
    await context.turns.next();
    extent.last = block;
    if (await checkReference(context, entry, direct[block], ObjectType.segment, ownerHash))
      yield { block, id: direct[block] };
  }
  let previousFull = true;
  for (let tree = 0; tree < TREE_COUNT; tree++) {
    if (isNullId(roots[tree])) {
      previousFull = false;
      continue;
    }
    if (!previousFull)
      context.report(
        'error',
        'indirect-tree',
        entry.path,
        found.blob.name,
        `Indirect tree ${tree} is used although the one before it is not full.`,
      );
    const before = block;
    for await (const leaf of leaves(context, entry, found, ownerHash, roots[tree], tree, 0, extent)) {
      if ('unknown' in leaf) {
        block += leaf.unknown;
        continue;
      }
      await context.turns.next();
      extent.last = block;
      if (await checkReference(context, entry, leaf.id, ObjectType.segment, ownerHash)) yield { block, id: leaf.id };
      block++;
    }
    previousFull = !extent.complete || block - before === context.reader.geometry.fanOut ** (tree + 1);
  }
}

/** A block that an indirect tree names; or as many as one that cannot be read has room for. */
type Leaf = { readonly id: Uint8Array } | { readonly unknown: number };

async function* leaves(
  context: FsckContext,
  entry: WalkedEntry,
  found: FoundInode,
  ownerHash: string,
  id: Uint8Array,
  tree: number,
  depth: number,
  extent: BlockExtent,
): AsyncGenerator<Leaf> {
  const { fanOut } = context.reader.geometry;
  // What is behind it keeps its numbers.
  const unknown = fanOut ** (tree - depth + 1);
  if (!(await checkReference(context, entry, id, ObjectType.indirect, ownerHash))) {
    extent.complete = false;
    yield { unknown };
    return;
  }
  const error = (code: string, message: string) => context.report('error', code, entry.path, idHex(id), message);
  let children: readonly Uint8Array[];
  try {
    const node = await context.reader.indirect(id, found.id);
    children = node.children;
    if (node.owner.offset !== indirectOffset(tree, depth))
      error('indirect-tree', `The indirect block says ${node.owner.offset}; it is in tree ${tree} at depth ${depth}.`);
  } catch (problem) {
    if (!isClfsError(problem, 'format', 'not-found')) throw problem;
    error('damaged-object', messageOf(problem));
    extent.complete = false;
    yield { unknown };
    return;
  }
  if (children.length > fanOut) error('indirect-tree', `The indirect block lists ${children.length} children.`);
  if (children.length === 0) {
    if (depth === 0) error('indirect-tree', 'The root of an indirect tree is empty.');
    else
      context.report(
        'warning',
        'empty-indirect-block',
        entry.path,
        idHex(id),
        'An indirect block is empty, as the reference loader writes one where a level comes out full.',
      );
  }
  if (depth === tree) for (const child of children) yield { id: child };
  else for (const child of children) yield* leaves(context, entry, found, ownerHash, child, tree, depth + 1, extent);
}

/**
 * Reads a segment of an inode, and tells of what is wrong with its bytes: the others are checked all the same.
 *
 * @returns undefined when it cannot be read
 */
export async function readSegment(
  context: FsckContext,
  entry: WalkedEntry,
  found: FoundInode,
  id: Uint8Array,
): Promise<FileSegment | DirectorySegment | undefined> {
  try {
    return (await context.reader.segment(id, found.id)).segment;
  } catch (error) {
    reportDamage(context, entry.path, (await context.index.find(id))?.name ?? idHex(id), error);
    return undefined;
  }
}

/** @returns whether the object is there and may be read */
async function checkReference(
  context: FsckContext,
  entry: WalkedEntry,
  id: Uint8Array,
  type: number,
  ownerHash: string,
): Promise<boolean> {
  const hex = idHex(id);
  const what = type === ObjectType.segment ? 'segment' : 'indirect block';
  if (id.length !== BLOCK_ID_BYTES) {
    context.report('error', 'block-map', entry.path, hex, `A ${what} has an id of ${id.length} bytes.`);
    return false;
  }
  const blob = await context.index.find(id);
  if (!blob) {
    context.report('error', 'missing-object', entry.path, hex, `The ${what} ${hex} is not in the container.`);
    return false;
  }
  const shared = !context.used.add(id);
  if (shared)
    context.report('error', 'shared-block', entry.path, blob.name, `The ${what} is referred to more than once.`);
  if (blob.key.type !== type)
    context.report(
      'error',
      'type-mismatch',
      entry.path,
      blob.name,
      `The name has type ${blob.key.type}; it is referred to as ${type === ObjectType.segment ? 'a segment' : 'an indirect block'}.`,
    );
  // Of an inode a higher one supersedes; blocks have one version only.
  if (blob.key.version !== FIRST_VERSION)
    context.report(
      'error',
      'version',
      entry.path,
      blob.name,
      `The ${what} has the version ${blob.key.version} in place of ${FIRST_VERSION}.`,
    );
  if (blob.key.ownerHash !== ownerHash)
    context.report(
      'error',
      'owner',
      entry.path,
      blob.name,
      `The name of the ${what} has another owner than the inode.`,
    );
  // What is below an indirect block is gone over once: a map that leads back into itself would never end.
  return !shared || type === ObjectType.segment;
}
