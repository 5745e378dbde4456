import { describe, expect, it } from 'vitest';
import { refusal, sampleBlockId, sampleHandle } from '../../test/support/samples.js';
import {
  decodeDirents,
  directoryEntryBytes,
  directoryPieceCapacity,
  directorySegmentOffset,
  encodeDirents,
  isDot,
  isDotDot,
  isSafeName,
  writeDirectoryEntry,
} from './dirents.js';
import { GEOMETRY } from './geometry.js';

const HANDLE = sampleHandle(2000);
const ID = sampleBlockId(1);
const name = (length: number) => Buffer.alloc(length, 'n');

/** The bytes of an entry, whatever its parts are. */
function entry(named: Uint8Array, handle: Uint8Array): Buffer {
  const bytes = Buffer.alloc(4 + named.length + 2 + handle.length);
  bytes.writeUInt32LE(named.length);
  bytes.set(named, 4);
  bytes.writeUInt16LE(handle.length, 4 + named.length);
  bytes.set(handle, 6 + named.length);
  return bytes;
}

describe('the entries of a directory', () => {
  it('are name and handle, each behind its length', () => {
    const entries = [
      { name: Buffer.from([0xff]), handle: ID },
      { name: name(255), handle: HANDLE },
    ];
    const payload = encodeDirents(entries);
    expect(payload).toEqual(Buffer.concat(entries.map((each) => entry(each.name, each.handle))));
    expect(payload.length).toBe(directoryEntryBytes(1, 16) + directoryEntryBytes(255, 24));
    expect(decodeDirents(payload)).toEqual(entries);
    expect(decodeDirents(Buffer.alloc(0))).toEqual([]);
  });

  it('are written where they are wanted', () => {
    const target = Buffer.alloc(25, 0xee);
    expect(writeDirectoryEntry(target, 1, Buffer.from('a'), ID)).toBe(24);
    expect(target).toEqual(Buffer.concat([Buffer.from([0xee]), entry(Buffer.from('a'), ID), Buffer.from([0xee])]));
  });

  it('are not written under names that none can have', () => {
    for (const length of [0, 256])
      expect(() => writeDirectoryEntry(Buffer.alloc(999), 0, name(length), ID)).toThrow(
        new RangeError(`A name has ${length} bytes.`),
      );
  });

  it.each<[string, Buffer, string]>([
    ['an empty name', entry(name(0), ID), 'A directory entry has a name of 0 bytes.'],
    ['a name of 256 bytes', entry(name(256), ID), 'A directory entry has a name of 256 bytes.'],
    ['a name of 4 GB', Buffer.from('ffffffff6e', 'hex'), 'A directory entry has a name of 4294967295 bytes.'],
    ['no handle', entry(name(1), Buffer.alloc(0)), 'A directory entry has a handle of 0 bytes.'],
    ['a handle of 17 bytes', entry(name(1), Buffer.alloc(17)), 'A directory entry has a handle of 17 bytes.'],
    ['a handle of 25 bytes', entry(name(1), Buffer.alloc(25)), 'A directory entry has a handle of 25 bytes.'],
    ['a length that is cut', Buffer.from([1, 0]), 'Malformed DIRENTS record: it ends early.'],
    ['a name that is cut', entry(name(5), ID).subarray(0, 7), 'Malformed DIRENTS record: it ends early.'],
    ['a handle that is cut', entry(name(5), ID).subarray(0, -1), 'Malformed DIRENTS record: it ends early.'],
  ])('are refused for %s', (_, bytes, message) => {
    const payload = Buffer.concat([entry(Buffer.from('good'), HANDLE), bytes]);
    expect(refusal(() => decodeDirents(payload))).toBe(`format: ${message}`);
  });

  it('go into pieces of these sizes, at these offsets', () => {
    expect([0, 1, 2].map((block) => directoryPieceCapacity(block, GEOMETRY))).toEqual([16360, 262144, 262144]);
    expect([1, 2, 3].map((block) => directorySegmentOffset(block, GEOMETRY))).toEqual([16384, 278528, 540672]);
  });
});

describe('a name', () => {
  it.each<[string, string | Buffer, boolean]>([
    ['one byte', 'a', true],
    ['255 bytes', name(255), true],
    ['any bytes', Buffer.from([0x01, 0x5c, 0x0a, 0x7f, 0x80, 0xff]), true],
    ['three dots', '...', true],
    ['a dot before more', '.a', true],
    ['two dots before more', '..a', true],
    ['a dot behind', 'a.', true],
    ['empty', '', false],
    ['256 bytes', name(256), false],
    ['a dot', '.', false],
    ['two dots', '..', false],
    ['a slash', 'a/b', false],
    ['a NUL', 'a\0', false],
  ])('of %s is safe, or not', (_, text, isSafe) => {
    expect(isSafeName(Buffer.from(text))).toBe(isSafe);
  });

  it('is a dot, or two, as a whole', () => {
    const names = ['.', '..', '...', 'a', 'a.', '.a', ''].map((text) => Buffer.from(text));
    expect(names.map(isDot)).toEqual([true, false, false, false, false, false, false]);
    expect(names.map(isDotDot)).toEqual([false, true, false, false, false, false, false]);
  });
});
