import { indirectNodes, NO_ROOTS } from '../format/block-map.js';
import { ObjectType } from '../format/ids.js';
import { encodeObjectName, FIRST_VERSION } from '../format/names.js';
import { encodeSegment, indirectOffset } from '../format/segment.js';
import type { WorkContext } from './context.js';

/** An inode whose blocks are to be listed. */
export interface BlockOwner {
  readonly sequence: number;
  readonly generation: number;
  readonly handle: Uint8Array;
  /** Block 0 included. */
  readonly blockCount: number;
  readonly ctimeSeconds: number;
}

/** Ids of the direct blocks: the inode's own and those of its first segments. */
export function directBlocks(owner: BlockOwner, context: WorkContext): readonly Uint8Array[] {
  const direct: Uint8Array[] = [owner.handle];
  const count = Math.min(owner.blockCount, context.constants.geometry.directBlocks);
  for (let block = 1; block < count; block++) direct.push(context.ids.segment(owner.sequence, owner.generation, block));
  return direct;
}

/** Roots of the indirect trees of an inode, without writing anything. */
export function indirectRoots(owner: BlockOwner, context: WorkContext): readonly Uint8Array[] {
  const roots = [...NO_ROOTS];
  for (const node of indirectNodes(owner.blockCount, context.constants.geometry)) {
    if (node.depth === 0) roots[node.tree] = context.ids.indirect(owner.sequence, owner.generation, node.tree, 0, 0);
  }
  return roots;
}

/** Writes the indirect blocks of an inode, one after the other. */
export async function putIndirectBlocks(owner: BlockOwner, context: WorkContext): Promise<void> {
  const { sequence, generation, handle, ctimeSeconds } = owner;
  for (const node of indirectNodes(owner.blockCount, context.constants.geometry)) {
    const children: Uint8Array[] = [];
    for (let i = 0; i < node.childCount; i++) {
      const place = node.firstChild + i;
      children.push(
        node.deepest ? context.ids.segment(sequence, generation, place) : context.ids.indirect(sequence, generation, node.tree, node.depth + 1, place),
      );
    }
    const id = context.ids.indirect(sequence, generation, node.tree, node.depth, node.index);
    const body = encodeSegment({ kind: 'indirect', children, owner: { ctimeSeconds, offset: indirectOffset(node.tree, node.depth), handle } });
    await context.writer.putBody(encodeObjectName({ id, type: ObjectType.indirect, owner: handle, version: FIRST_VERSION }), body);
  }
}

/** Names of the segments and indirect blocks of one generation of an inode. */
export function* blockNames(owner: BlockOwner, context: Pick<WorkContext, 'ids' | 'constants'>): Generator<string> {
  const { sequence, generation, handle } = owner;
  for (let block = 1; block < owner.blockCount; block++) {
    yield encodeObjectName({ id: context.ids.segment(sequence, generation, block), type: ObjectType.segment, owner: handle, version: FIRST_VERSION });
  }
  for (const { tree, depth, index } of indirectNodes(owner.blockCount, context.constants.geometry)) {
    yield encodeObjectName({
      id: context.ids.indirect(sequence, generation, tree, depth, index),
      type: ObjectType.indirect,
      owner: handle,
      version: FIRST_VERSION,
    });
  }
}
