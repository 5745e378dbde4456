import { describe, expect, it } from 'vitest';
import { MemoryContainer } from '../container/memory-container.js';
import { encodeObjectName, encodeObjectNameV1 } from '../format/names.js';
import { indexContainer } from './object-index.js';
import { openSharedObjects, shareObjects } from './shared-objects.js';

const COUNT = 2000;
const NOTHING = Buffer.alloc(0);

function idOf(number: number): Uint8Array {
  const id = new Uint8Array(number % 3 === 0 ? 16 : 24);
  Buffer.from(id.buffer).writeUInt32LE(number, 8);
  id[0] = 0x11;
  return id;
}

const PLACES = [
  ['in memory', COUNT, 'table'],
  ['on disk', 500, 'file'],
] as const;

describe.each(PLACES)('objects that threads share, of an index %s', (_where, memoryObjects, kind) => {
  it('are found as the listing has them, by what a thread is told', async () => {
    const container = new MemoryContainer();
    for (let number = 0; number < COUNT; number++) {
      const id = idOf(number);
      const name =
        number % 7 === 0
          ? encodeObjectNameV1(id, 9)
          : encodeObjectName({
              id,
              type: 1 + (number % 12),
              owner: idOf(number + 1),
              version: 9 + (number % 5) * 10_000_000_000,
            });
      container.blobs.set(name, Buffer.alloc(number % 50));
    }
    const index = await indexContainer(container, { memoryObjects });
    let seen = 0;
    const shared = await shareObjects(index, (page) => {
      seen += page.length;
    });
    expect(seen).toBe(COUNT);
    expect(shared.kind).toBe(kind);
    const finder = openSharedObjects(structuredClone(shared));
    for (let number = 0; number < COUNT; number++) {
      const expected = await index.find(idOf(number));
      const found = await finder.find(idOf(number));
      expect(found?.name).toBe(expected?.name);
      expect(found?.sizeBytes).toBe(expected?.sizeBytes);
      expect(found?.key).toEqual(expected?.key);
    }
    expect(await finder.find(idOf(COUNT + 5))).toBeUndefined();
    expect(await finder.find(new Uint8Array(24))).toBeUndefined();
    expect(await finder.find(new Uint8Array(40))).toBeUndefined();
    index.close();
  });
});

describe('objects that threads share', () => {
  it('take no memory of their own when the index is on disk', async () => {
    const container = new MemoryContainer();
    for (let number = 0; number < COUNT; number++) container.blobs.set(encodeObjectNameV1(idOf(number), 9), NOTHING);
    const index = await indexContainer(container, { memoryObjects: 500 });
    const { records } = await shareObjects(index);
    const bytes = records instanceof SharedArrayBuffer ? records.byteLength : records.firsts.byteLength;
    // The first id of each page of 8 KiB.
    expect(bytes).toBeLessThan(COUNT);
    index.close();
  });

  it('may be none', async () => {
    expect(
      await openSharedObjects(await shareObjects(await indexContainer(new MemoryContainer()))).find(idOf(1)),
    ).toBeUndefined();
  });
});
