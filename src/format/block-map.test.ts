import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { refusal, sampleBlockId, sampleHandle } from '../../test/support/samples.js';
import {
  blockMapRecordBytes,
  decodeBlockMap,
  indirectNodes,
  indirectPath,
  NO_ROOTS,
  writeBlockMap,
} from './block-map.js';
import { fileBlockCount, GEOMETRY, type Geometry, maximumBlockCount } from './geometry.js';
import { decodeRecords } from './records.js';

const SMALL: Geometry = { ...GEOMETRY, firstSegmentBytes: 600, fileSegmentBytes: 2500, directBlocks: 5, fanOut: 3 };
const ROOTS = [1, 2, 3, 4].map(sampleBlockId);
const MAP = {
  firstSegmentBytes: 0x01020304,
  segmentBytes: 0x05060708,
  direct: [sampleHandle(2000), sampleBlockId(9)],
  roots: ROOTS,
};
const RECORD = Buffer.alloc(blockMapRecordBytes(MAP.direct));
const END = writeBlockMap(RECORD, 0, MAP);
const [{ type, payload: PAYLOAD }] = decodeRecords(RECORD);

const u32 = (value: number) => Buffer.from([value, 0, 0, 0]);
const idField = (id: Uint8Array) => Buffer.concat([Buffer.from([id.length, 0]), id]);
const HEAD = PAYLOAD.subarray(0, 8);
const payloadOf = (
  direct: readonly Uint8Array[],
  trees: number,
  roots: readonly Uint8Array[],
  counted = direct.length,
) => Buffer.concat([HEAD, u32(counted), ...direct.map(idField), u32(trees), ...roots.map(idField)]);

describe('a block map', () => {
  it('is sizes, direct blocks and four roots', () => {
    expect(type).toBe(5);
    expect(END).toBe(RECORD.length);
    expect(HEAD.toString('hex')).toBe('0403020108070605');
    expect(PAYLOAD).toEqual(payloadOf(MAP.direct, 4, ROOTS));
    expect(decodeBlockMap(PAYLOAD)).toEqual(MAP);
    expect(NO_ROOTS.map((id) => Buffer.from(id).toString('hex'))).toEqual(new Array(4).fill('00'.repeat(16)));
  });

  it.each<[string, Buffer, string]>([
    ['three trees', payloadOf([], 3, ROOTS.slice(1)), 'A block map has 4 indirect trees, not 3.'],
    ['five trees', payloadOf([], 5, [...ROOTS, ROOTS[0]]), 'A block map has 4 indirect trees, not 5.'],
    [
      'a handle as a root',
      payloadOf([], 4, [...ROOTS.slice(1), sampleHandle(1)]),
      'The root of an indirect tree is an id of 16 bytes, not 24.',
    ],
    [
      'an empty root',
      payloadOf([], 4, [...ROOTS.slice(1), Buffer.alloc(0)]),
      'The root of an indirect tree is an id of 16 bytes, not 0.',
    ],
    ['a direct block that is cut', payloadOf([], 4, ROOTS).subarray(0, 11), 'Malformed BMAP record: it ends early.'],
    ['a root that is cut', PAYLOAD.subarray(0, -1), 'Malformed BMAP record: it ends early.'],
    ['bytes behind it', Buffer.concat([PAYLOAD, u32(0)]), 'Malformed BMAP record: 4 bytes too many.'],
    ['a count without blocks', payloadOf([], 4, ROOTS, 100), 'Malformed BMAP record: a count of 100 does not fit.'],
    ['a count without roots', payloadOf([], 200, ROOTS), 'Malformed BMAP record: a count of 200 does not fit.'],
  ])('is refused for %s', (_, payload, message) => {
    expect(refusal(() => decodeBlockMap(payload))).toBe(`format: ${message}`);
  });
});

describe('the blocks of a file', () => {
  it('are the inode, and a segment for each further size of one', () => {
    expect([0, 1, 600, 601, 3100, 3101, 5600, 5601].map((size) => fileBlockCount(size, SMALL))).toEqual([
      1, 1, 1, 2, 2, 3, 3, 4,
    ]);
  });

  it('are as many as the direct ones and four trees hold', () => {
    expect(maximumBlockCount(SMALL)).toBe(5 + 3 + 9 + 27 + 81);
    expect(maximumBlockCount(GEOMETRY)).toBe(1024 + 4096 + 4096 ** 2 + 4096 ** 3 + 4096 ** 4);
  });
});

describe('the indirect blocks of a file', () => {
  it('are these, the deepest level of each tree first', () => {
    const shown = [...indirectNodes(5 + 3 + 7, SMALL)].map(
      (n) => `${n.tree}.${n.depth}.${n.index}: ${n.childCount} from ${n.firstChild}${n.deepest ? ', segments' : ''}`,
    );
    expect(shown).toEqual([
      '0.0.0: 3 from 5, segments',
      '1.1.0: 3 from 8, segments',
      '1.1.1: 3 from 11, segments',
      '1.1.2: 1 from 14, segments',
      '1.0.0: 3 from 0',
    ]);
  });

  it('are none while direct blocks are enough', () => {
    expect([...indirectNodes(5, SMALL)]).toEqual([]);
    expect([...indirectNodes(6, SMALL)]).toHaveLength(1);
  });

  it('list each block once, in the place where its path leads', () =>
    fc.assert(
      fc.property(fc.integer({ min: 6, max: 125 }), (blocks) => {
        const nodes = [...indirectNodes(blocks, SMALL)];
        const listed = new Map<number, (typeof nodes)[number]>();
        for (const node of nodes) {
          expect(node.deepest).toBe(node.depth === node.tree);
          if (node.deepest) for (let at = 0; at < node.childCount; at++) listed.set(node.firstChild + at, node);
        }
        expect([...listed.keys()]).toEqual(Array.from({ length: blocks - 5 }, (_, at) => at + 5));
        for (const [block, node] of listed) {
          const { tree, path } = indirectPath(block, SMALL);
          expect(tree).toBe(node.tree);
          expect(path).toHaveLength(tree + 1);
          let index = 0;
          for (const [depth, child] of path.entries()) {
            const level = nodes.find((each) => each.tree === tree && each.depth === depth && each.index === index);
            expect(child).toBeLessThan(level?.childCount ?? 0);
            if (depth === tree) expect(level?.firstChild).toBe(block - child);
            else expect(level?.firstChild).toBe(3 * index);
            index = 3 * index + child;
          }
        }
      }),
    ));

  it('are refused for more than four trees hold', () => {
    expect([...indirectNodes(125, SMALL)].at(-1)).toMatchObject({ tree: 3, depth: 0, childCount: 3 });
    expect(refusal(() => [...indirectNodes(126, SMALL)])).toBe('format: Four indirect trees do not hold 126 blocks.');
    expect(indirectPath(124, SMALL)).toEqual({ tree: 3, path: [2, 2, 2, 2] });
    expect(refusal(() => indirectPath(125, SMALL))).toBe('format: Four indirect trees do not hold block 125.');
  });
});
