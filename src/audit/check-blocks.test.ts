import { rename, segmentsOf } from '../../test/support/audited.js';
import { all, attributes, blockMap, describeFindings, owned, segment } from '../../test/support/check-cases.js';
import { sampleBlockId } from '../../test/support/samples.js';
import type { MemoryContainer } from '../container/memory-container.js';
import { NULL_BLOCK_ID } from '../format/ids.js';
import type { DirectorySegment, IndirectBlock } from '../format/segment.js';

describeFindings('the blocks of an inode', {
  'another first size': [
    blockMap('file', () => ({ firstSegmentBytes: 1 })),
    'error block-map a/file: The block map has segment sizes 1 and 2500.',
  ],
  'another segment size': [
    blockMap('file', () => ({ segmentBytes: 1 })),
    'error block-map a/file: The block map has segment sizes 600 and 1.',
  ],
  'a directory with segments of files': [
    blockMap('a', () => ({ segmentBytes: 2500 })),
    'error block-map a: The block map has segment sizes 600 and 2500.',
  ],
  'no block 0': [
    blockMap('file', () => ({ direct: [] })),
    'error block-map a/file: Block 0 of the block map is not the inode itself.',
  ],
  'another block 0': [
    blockMap('file', () => ({ direct: [NULL_BLOCK_ID] })),
    'error block-map a/file: Block 0 of the block map is not the inode itself.',
  ],
  'too many direct blocks': [
    blockMap('large', ({ direct }) => ({
      direct: [...direct, sampleBlockId(1)],
      roots: new Array(4).fill(NULL_BLOCK_ID),
    })),
    '4 × error orphan: Nothing refers to this indirect block.',
    '9 × error orphan: Nothing refers to this segment.',
    'error block-count a/large: The block map has 6 blocks; the length of 30601 calls for 14.',
    'error block-map a/large: The block map has 6 direct blocks.',
    'error missing-object a/large: The segment ID is not in the container.',
  ],
  'an indirect tree while direct blocks are free': [
    blockMap('file', ({ direct }) => ({ direct, roots: [sampleBlockId(1), ...new Array(3).fill(NULL_BLOCK_ID)] })),
    'error block-map a/file: Indirect trees are used although direct blocks are free.',
    'error missing-object a/file: The indirect block ID is not in the container.',
  ],
  'an id that is too short': [
    blockMap('large', ({ direct }) => ({ direct: [...direct.slice(0, 4), Buffer.alloc(15)] })),
    'error block-map a/large: A segment has an id of 15 bytes.',
    'error orphan: Nothing refers to this segment.',
  ],
  'a segment twice': [
    blockMap('large', ({ direct }) => ({ direct: [...direct.slice(0, 4), direct[1]] })),
    'error orphan: Nothing refers to this segment.',
    'error segment-offset a/large: Block 4 says that it begins at 600, not at 8100.',
    'error shared-block a/large: The segment is referred to more than once.',
  ],
  'a segment as an indirect block': [
    blockMap('large', ({ direct, roots }) => ({ roots: [direct[1], ...roots.slice(1)] })),
    '3 × error orphan: Nothing refers to this segment.',
    'error orphan: Nothing refers to this indirect block.',
    'error shared-block a/large: The indirect block is referred to more than once.',
    'error type-mismatch a/large: The name has type 8; it is referred to as an indirect block.',
  ],
  'an indirect block as a segment': [
    blockMap('large', ({ direct, roots }) => ({ direct: [...direct.slice(0, 4), roots[0]] })),
    // The tree below it is not gone over twice.
    '4 × error orphan: Nothing refers to this segment.',
    'error damaged-object a/large: The object BLOB is an indirect block where a segment is referred to.',
    'error shared-block a/large: The indirect block is referred to more than once.',
    'error type-mismatch a/large: The name has type 9; it is referred to as a segment.',
  ],
  'an indirect block that is not there': [
    (c) => void c.blobs.delete(segmentsOf(c, 'large', 9)[0]),
    '3 × error orphan: Nothing refers to this segment.',
    'error missing-object a/large: The indirect block ID is not in the container.',
  ],
  'an indirect block of another owner': [
    owned('large', 9, { handle: sampleBlockId(1) }),
    '3 × error orphan: Nothing refers to this segment.',
    'error damaged-object a/large: The object BLOB belongs to ID, not to ID that refers to it.',
  ],
  'an indirect block of another place': [
    owned('large', 9, { offset: 5n }),
    'error indirect-tree a/large: The indirect block says 5; it is in tree 0 at depth 0.',
  ],
  'an empty root of a tree': [
    all(
      segment('large', 9, 1, () => ({ children: [] })),
      (c) => {
        for (const blob of segmentsOf(c, 'large', 9).slice(2)) c.blobs.delete(blob);
        for (const blob of segmentsOf(c, 'large').slice(7)) c.blobs.delete(blob);
      },
    ),
    'error block-count a/large: The block map has 8 blocks; the length of 30601 calls for 14.',
    'error indirect-tree a/large: The root of an indirect tree is empty.',
  ],
  'an empty block below a root': [
    all(
      segment('large', 9, -1, () => ({ children: [] })),
      (c) => {
        for (const blob of segmentsOf(c, 'large').slice(10)) c.blobs.delete(blob);
      },
    ),
    'error block-count a/large: The block map has 11 blocks; the length of 30601 calls for 14.',
    'warning empty-indirect-block a/large: An indirect block is empty, as the reference loader writes one where a level comes out full.',
  ],
  'an indirect block that is too wide': [
    segment<IndirectBlock>('large', 9, -1, ({ children }) => ({ children: [...children, ...children.slice(0, 1)] })),
    'error block-count a/large: The block map has 15 blocks; the length of 30601 calls for 14.',
    'error indirect-tree a/large: The indirect block lists 4 children.',
    'error shared-block a/large: The segment is referred to more than once.',
  ],
  'a tree that is not full before another': [
    segment<IndirectBlock>('large', 9, 0, ({ children }) => ({ children: children.slice(0, 2) })),
    'error block-count a/large: The block map has 13 blocks; the length of 30601 calls for 14.',
    'error indirect-tree a/large: Indirect tree 1 is used although the one before it is not full.',
    'error orphan: Nothing refers to this segment.',
    'error segment-length a/large: Block 12 has 1 bytes in place of 2500.',
    ...[7, 8, 9, 10, 11, 12].map(
      (block) =>
        `error segment-offset a/large: Block ${block} says that it begins at ${600 + 2500 * block}, not at ${600 + 2500 * (block - 1)}.`,
    ),
  ],
  'a length of one block more': [
    attributes('large', { lengthBytes: 33101n, usedBytes: 33101n }),
    'error block-count a/large: The block map has 14 blocks; the length of 33101 calls for 15.',
    'error segment-length a/large: Block 13 has 1 bytes in place of 2500.',
  ],
  'a length beyond reason': [
    attributes('file', { lengthBytes: 2n ** 53n, usedBytes: 2n ** 53n }),
    'error damaged-object a/file: BLOB says that it has 9007199254740992 bytes.',
  ],
  'a segment of another kind': [
    segment<DirectorySegment>('large', 8, 0, ({ owner }) => ({ kind: 'directory', dirents: Buffer.alloc(0), owner })),
    'error segment-kind a/large: Block 1 (ID) of a file is a segment of a directory.',
  ],
  'a segment of another version': [
    otherVersion(8, '00000000008'),
    'error version a/large: The segment has the version 8 in place of 9.',
  ],
  'an indirect block of another version': [
    otherVersion(9, '00000000010'),
    'error version a/large: The indirect block has the version 10 in place of 9.',
  ],
  'a segment that is too short': [
    segment('large', 8, 0, () => ({ data: Buffer.alloc(2499) })),
    'error segment-length a/large: Block 1 has 2499 bytes in place of 2500.',
  ],
  'a segment of another place': [
    owned('large', 8, { offset: 601n }),
    'error segment-offset a/large: Block 1 says that it begins at 601, not at 600.',
  ],
  'a segment of another ctime': [
    owned('large', 8, { ctimeSeconds: 1 }),
    'warning segment-ctime a/large: Block 1 has another ctime than its inode.',
  ],
  'a segment of another owner': [
    owned('large', 8, { handle: sampleBlockId(1) }),
    'error damaged-object a/large: The object BLOB belongs to ID, not to ID that refers to it.',
  ],
  'a segment with another owner in its name': [
    (c) => {
      const [blob] = segmentsOf(c, 'large');
      rename(c, blob, blob.replace(/\.[0-9A-F]{16}\./, '.0123456789ABCDEF.'));
    },
    'error owner a/large: The name of the segment has another owner than the inode.',
  ],
  'a segment that is not there': [
    (c) => void c.blobs.delete(segmentsOf(c, 'large')[0]),
    'error missing-object a/large: The segment ID is not in the container.',
  ],
});

/** Gives the first segment, or indirect block, another version. */
function otherVersion(type: 8 | 9, version: string) {
  return (c: MemoryContainer) => {
    const [blob] = segmentsOf(c, 'large', type);
    rename(c, blob, blob.replace('.00000000009.', `.${version}.`));
  };
}
