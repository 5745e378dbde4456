import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Timestamp } from '../src/format/attributes.js';
import { indirectNodes, NO_ROOTS } from '../src/format/block-map.js';
import { decodeBucket, encodeBucketPairs } from '../src/format/bucket.js';
import { encodeDirents } from '../src/format/dirents.js';
import { compressObject, decodeObject } from '../src/format/envelope.js';
import { GEOMETRY } from '../src/format/geometry.js';
import { fnv1, hash64Hex, hex32, murmur2 } from '../src/format/hash.js';
import { decodeFileHandle, type EntryType, encodeFileHandle, ObjectType } from '../src/format/ids.js';
import { decodeInode, encodeInode } from '../src/format/inode.js';
import { BUCKET_NAME, decodeObjectName, encodeObjectName } from '../src/format/names.js';
import { decodeSegment, encodeSegment, indirectOffset } from '../src/format/segment.js';
import { openLiblz4 } from '../src/lz4/liblz4.js';
import { openNapiLz4 } from '../src/lz4/napi-lz4.js';

type Vector = any;
const vectors: Vector = JSON.parse(readFileSync(new URL('fixtures/clfs-vectors.json', import.meta.url), 'utf8'));
const hex = (text: string) => Buffer.from(text, 'hex');
const OBJECT_TYPES: readonly EntryType[] = [1, 2, 1, 5, 3, 4, 6, 7];

describe('the vectors of the reference loader', () => {
  it.each<Vector>(vectors.fileHandles)('file handle $handleHex', (v) => {
    const fields = {
      containerId: v.containerId,
      sourceManager: v.dirManagerSource,
      targetManager: v.dirManagerTarget,
      type: OBJECT_TYPES[v.fileType],
      sequence: BigInt(v.sequence),
      random: BigInt(v.random),
    };
    expect(encodeFileHandle(fields).toString('hex')).toBe(v.handleHex);
    expect(decodeFileHandle(hex(v.handleHex))).toEqual({ ...fields, containerId: v.containerId & 0x07ffffff });
  });

  it.each<Vector>(vectors.hashes)('hashes of $idHex', (v) => {
    expect(hex32(fnv1(hex(v.idHex)))).toBe(v.fnv1);
    expect(hex32(murmur2(hex(v.idHex)))).toBe(v.murmur2);
    expect(hash64Hex(hex(v.idHex))).toBe(v.hash64);
  });

  it.each<Vector>(vectors.names)('name of: $what', (v) => {
    if (v.objectType === ObjectType.special) {
      expect(v.name).toBe(BUCKET_NAME);
      expect(decodeObjectName(v.name)).toMatchObject({ nameVersion: 1, version: 9 });
      return;
    }
    // The one prefixed name is that of the reference's unfinished root, which is named as if it were its own owner.
    const owner = v.prefix === 'tmp' ? v.idHex : v.ownerHex;
    expect(
      v.prefix + encodeObjectName({ id: hex(v.idHex), type: v.objectType, owner: hex(owner), version: v.version }),
    ).toBe(v.name);
    const parsed = decodeObjectName(v.name);
    if (v.prefix !== '') expect(parsed).toBeUndefined();
    else
      expect(parsed).toMatchObject({
        id: hex(v.idHex),
        type: v.objectType,
        ownerHash: hash64Hex(hex(v.ownerHex)),
        version: v.version,
      });
  });

  it.each<Vector>(vectors.objects)('object: $what', (v) => {
    const body = hex(v.bodyHex);
    const encoded = encodeVector(v);
    expect(encoded.toString('hex')).toBe(v.bodyHex);
    if (v.what === 'bucket object') expect(encodeBucketPairs(decodeBucket(body))).toEqual(body);
    else if (v.inputs.ownerHex) expect(encodeSegment(decodeSegment(body))).toEqual(body);
    else expect(encodeInode(decodeInode(body))).toEqual(body);
  });

  it.each<Vector>(vectors.blockMaps)('block map of $blocks blocks', (v) => {
    const nodes = [...indirectNodes(v.blocks, GEOMETRY)].map((node) => [node.tree, node.depth, node.childCount]);
    const expected = v.indirectBlocksInOrder.filter((node: number[]) => node[2] !== 0);
    // Where the reference counts its extra empty block as a child, its root lists one child more.
    const extra = v.indirectBlocksInOrder.some((node: number[]) => node[2] === 0) ? 1 : 0;
    expect(nodes).toEqual(
      expected.map(([tree, depth, count]: number[]) => [tree, depth, depth < tree ? count - extra : count]),
    );
    expect([0, 1, 2, 3].map((tree) => nodes.some((node) => node[0] === tree))).toEqual(v.rootsUsed);
    expect(Math.min(v.blocks, GEOMETRY.directBlocks)).toBe(v.directBlocks);
  });

  const liblz4 = openLiblz4();
  const implementations = [...(liblz4 ? [['liblz4', liblz4] as const] : []), ['lz4-napi', openNapiLz4()] as const];
  describe.each(implementations)('compression with %s', (name, lz4) => {
    it.each<Vector>(vectors.compression)('$what', (v) => {
      const body = v.unitHex ? repeat(hex(v.unitHex), v.length) : incompressible(v.length);
      const object = Buffer.concat([Buffer.alloc(4), body]);
      const target = Buffer.alloc(object.length);
      const length = compressObject(object, target, lz4);
      const blob = length === 0 ? object : target.subarray(0, length);
      expect(blob.subarray(0, hex(v.prefixHex).length >= 11 ? 11 : 4).toString('hex')).toBe(
        v.prefixHex.slice(0, v.prefixHex.length >= 22 ? 22 : 8),
      );
      if (name === 'liblz4') expect(blob.length).toBe(v.storedLength);
      if (name === 'liblz4' && v.storedHex) expect(blob.toString('hex')).toBe(v.storedHex);
      if (v.storedHex) expect(decodeObject(hex(v.storedHex), v.length, lz4).body).toEqual(body);
      expect(decodeObject(blob, body.length, lz4)).toMatchObject({ body, storedBlocks: false });
    });
  });
});

function incompressible(length: number): Buffer {
  const bytes = Buffer.alloc(length, 'A');
  let state = 12345;
  for (let i = length === 524288 ? 262144 : 0; i < length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    bytes[i] = state >>> 16;
  }
  return bytes;
}

function repeat(unit: Buffer, length: number): Buffer {
  return Buffer.alloc(length, unit);
}

function timestamp(text: string): Timestamp {
  const [seconds, nanoseconds] = text.split('.');
  return { seconds: Number(seconds), nanoseconds: Number(nanoseconds) };
}

/** By `mode >> 12`. */
const TYPE_BY_FORMAT_BITS = new Map<number, EntryType>([
  [8, 1],
  [4, 2],
  [6, 3],
  [2, 4],
  [10, 5],
  [12, 6],
  [1, 7],
]);

function encodeVector(v: Vector): Buffer {
  const i = v.inputs;
  if (v.what === 'bucket object') return encodeBucketPairs(pairs(i.extendedAttributes));
  const entries = i.entries?.map((entry: any) => ({
    name: Buffer.from(entry[0]),
    handle: hex(entry[1]),
  }));
  if (i.ownerHex) {
    const owner = { ctimeSeconds: i.ctimeSeconds, offset: BigInt(i.offset ?? 0), handle: hex(i.ownerHex) };
    if (i.blocksHex)
      return encodeSegment({
        kind: 'indirect',
        children: i.blocksHex.map(hex),
        owner: { ...owner, offset: indirectOffset(i.tree, i.depth) },
      });
    if (entries) return encodeSegment({ kind: 'directory', dirents: encodeDirents(entries), owner });
    return encodeSegment({ kind: 'file', data: Buffer.from(i.data), owner });
  }
  const type = TYPE_BY_FORMAT_BITS.get(i.mode >> 12) as EntryType;
  const data = i.dataHex !== undefined ? hex(i.dataHex) : i.data !== undefined ? Buffer.from(i.data) : undefined;
  const back = i.backPointersHex?.map(hex) ?? (i.parentHex ? [hex(i.parentHex)] : undefined);
  return encodeInode({
    attributes: {
      mode: i.mode,
      type,
      flags: 0,
      uid: i.uid,
      gid: i.gid,
      lengthBytes: BigInt(i.size),
      dtime: { seconds: 0, nanoseconds: 0 },
      mtime: timestamp(i.mtime),
      ctime: timestamp(i.ctime),
      atime: timestamp(i.atime),
      usedBytes: BigInt(i.size),
      fsid: BigInt(i.fsid),
      inodeNumber: BigInt(i.inode),
      deviceMajor: i.rdevMajor ?? 0,
      deviceMinor: i.rdevMinor ?? 0,
      linkCount: i.nlink,
      containerId: BigInt(i.containerId),
    },
    blockMap: {
      firstSegmentBytes: GEOMETRY.firstSegmentBytes,
      segmentBytes: type === ObjectType.directory ? GEOMETRY.directorySegmentBytes : GEOMETRY.fileSegmentBytes,
      direct: i.directBlocksHex.map(hex),
      roots: i.indirectRootsHex?.map(hex) ?? NO_ROOTS,
    },
    backPointers: type === ObjectType.directory ? undefined : back,
    name: i.nameHex !== undefined ? hex(i.nameHex) : Buffer.from(i.name),
    data,
    dirents: entries && encodeDirents(entries),
    extendedAttributes: i.extendedAttributes && pairs(i.extendedAttributes),
    otherRecords: [],
  });
}

function pairs(value: any): Map<string, string> {
  return new Map(Array.isArray(value) ? value : Object.entries(value));
}
