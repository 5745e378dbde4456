import { describe, expect, it } from 'vitest';
import { MemoryContainer } from '../container/memory-container.js';
import { encodeObjectName, encodeObjectNameV1 } from '../format/names.js';
import { indexContainer } from './object-index.js';
import { openSharedObjects, shareObjects } from './shared-objects.js';

const COUNT = 2000;

function idOf(number: number): Uint8Array {
  const id = new Uint8Array(number % 3 === 0 ? 16 : 24);
  Buffer.from(id.buffer).writeUInt32LE(number, 8);
  id[0] = 0x11;
  return id;
}

describe('objects that threads share', () => {
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
    const index = await indexContainer(container);
    const finder = openSharedObjects(structuredClone(await shareObjects(index)));
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
  });

  it('may be none', async () => {
    expect(
      await openSharedObjects(await shareObjects(await indexContainer(new MemoryContainer()))).find(idOf(1)),
    ).toBeUndefined();
  });
});
