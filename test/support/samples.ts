import { ClfsError } from '../../src/error.js';
import type { Attributes } from '../../src/format/attributes.js';
import { NO_ROOTS } from '../../src/format/block-map.js';
import type { EntryType } from '../../src/format/ids.js';
import { encodeFileHandle } from '../../src/format/ids.js';
import type { Inode } from '../../src/format/inode.js';

/** A file handle of the form that loads give, told from others by its sequence number. */
export function sampleHandle(sequence: number, type: EntryType = 1): Buffer {
  const managers = { sourceManager: 3, targetManager: 4 };
  return encodeFileHandle({
    containerId: 77,
    ...managers,
    type,
    sequence: BigInt(sequence),
    random: 0x1122334455667788n,
  });
}

/** A block id, told from others by its first byte. */
export function sampleBlockId(first: number): Buffer {
  return Buffer.from([first, ...new Array<number>(15).fill(0x5a)]);
}

/** Attributes of which no two fields are the same. */
export function sampleAttributes(type: EntryType = 1): Attributes {
  return {
    mode: [0, 0o100640, 0o040751, 0o060640, 0o020640, 0o120777, 0o140755, 0o010644][type],
    type,
    flags: 0x01020304,
    uid: 0xfffffffe,
    gid: 1001,
    lengthBytes: 0x8000000000000005n,
    dtime: { seconds: 11, nanoseconds: 12 },
    mtime: { seconds: 0xffffffff, nanoseconds: 14 },
    ctime: { seconds: 15, nanoseconds: 16 },
    atime: { seconds: 17, nanoseconds: 999_999_999 },
    usedBytes: 0x2122232425262728n,
    fsid: 0x3132333435363738n,
    inodeNumber: 0xffffffffffffffffn,
    deviceMajor: 0x41424344,
    deviceMinor: 0x51525354,
    linkCount: 3,
    containerId: 0x6162636465666768n,
  };
}

/** An inode of a type, with every record that its type has. */
export function sampleInode(type: EntryType): Inode {
  const isDirectory = type === 2;
  return {
    attributes: sampleAttributes(type),
    blockMap: {
      firstSegmentBytes: 600,
      segmentBytes: 2500,
      direct: [sampleHandle(2000, type), sampleBlockId(1), sampleBlockId(2)],
      roots: NO_ROOTS.map((id) => Buffer.from(id)),
    },
    backPointers: isDirectory ? undefined : [sampleHandle(1500, 2), sampleHandle(1501, 2)],
    name: Buffer.from('näme'),
    data: type === 1 || type === 5 ? Buffer.from('some data') : undefined,
    dirents: isDirectory ? Buffer.from('entries') : undefined,
    extendedAttributes: isDirectory ? new Map([['key', 'välue']]) : undefined,
    otherRecords: [{ type: 15, payload: Buffer.from('kept') }],
  };
}

/** Code and message of the ClfsError that `work` throws. */
export function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof ClfsError) return `${error.code}: ${error.message}`;
    throw error;
  }
  throw new Error('Nothing was refused.');
}
