import type { Tally } from '../books/tally.js';
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

/** Writes the indirect blocks of an inode, one after the other. @param tally gets each one that is there */
export async function putIndirectBlocks(owner: BlockOwner, context: WorkContext, tally: Tally): Promise<void> {
  const { sequence, generation, handle, ctimeSeconds } = owner;
  for (const node of indirectNodes(owner.blockCount, context.constants.geometry)) {
    const children: Uint8Array[] = [];
    for (let i = 0; i < node.childCount; i++) {
      const place = node.firstChild + i;
      children.push(
        node.deepest
          ? context.ids.segment(sequence, generation, place)
          : context.ids.indirect(sequence, generation, node.tree, node.depth + 1, place),
      );
    }
    const id = context.ids.indirect(sequence, generation, node.tree, node.depth, node.index);
    const body = encodeSegment({
      kind: 'indirect',
      children,
      owner: { ctimeSeconds, offset: indirectOffset(node.tree, node.depth), handle },
    });
    const name = encodeObjectName({ id, type: ObjectType.indirect, owner: handle, version: FIRST_VERSION });
    tally.add(ObjectType.indirect, name, await context.writer.putBody(name, body));
  }
}

/** The blocks that a try of an inode may have put. */
export interface BlockRange {
  readonly handle: Uint8Array;
  readonly sequence: number;
  readonly generation: number;
  /** Segments 1 … this. */
  readonly segments: number;
  /** Indirect blocks of an inode of so many blocks, block 0 included; 0 for none. */
  readonly indirectBlocks: number;
}

/** Names of the segments and indirect blocks in a range. */
export function* blockNames(range: BlockRange, context: Pick<WorkContext, 'ids' | 'constants'>): Generator<string> {
  const { sequence, generation, handle, segments, indirectBlocks } = range;
  const name = (id: Uint8Array, type: number) => encodeObjectName({ id, type, owner: handle, version: FIRST_VERSION });
  for (let block = 1; block <= segments; block++) {
    yield name(context.ids.segment(sequence, generation, block), ObjectType.segment);
  }
  for (const { tree, depth, index } of indirectNodes(indirectBlocks, context.constants.geometry)) {
    yield name(context.ids.indirect(sequence, generation, tree, depth, index), ObjectType.indirect);
  }
}
