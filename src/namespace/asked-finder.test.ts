import { MessageChannel } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { MemoryContainer } from '../container/memory-container.js';
import { encodeObjectNameV1 } from '../format/names.js';
import { answerFind, createAskedFinder } from './asked-finder.js';
import { indexContainer } from './object-index.js';

const idOf = (number: number) => {
  const id = Buffer.alloc(24);
  id.writeUInt32BE(number, 8);
  return id;
};

describe('objects that are asked for', () => {
  it('are found as those who have the listing find them, many by one question', async () => {
    const container = new MemoryContainer();
    for (let number = 0; number < 1000; number++)
      container.blobs.set(encodeObjectNameV1(idOf(number), 9), Buffer.alloc(number));
    const index = await indexContainer(container);
    const { port1, port2 } = new MessageChannel();
    let questions = 0;
    let last: Promise<unknown> = Promise.resolve();
    port1.on('message', (what: unknown) => {
      questions++;
      // Answers come in the order of the questions, whatever each of them takes.
      last = last.then(async () => port1.postMessage(await answerFind(index, what)));
    });
    const finder = createAskedFinder(port2);
    const ids = Array.from({ length: 1100 }, (_, number) => idOf(number));
    const found = await Promise.all(ids.map((id) => finder.find(id)));
    for (const [number, blob] of found.entries())
      expect(blob).toEqual(
        number < 1000
          ? {
              name: encodeObjectNameV1(idOf(number), 9),
              sizeBytes: number,
              key: { nameVersion: 1, id: idOf(number), type: 0, ownerHash: '', version: 9 },
            }
          : undefined,
      );
    expect(questions).toBe(5);
    expect(await finder.find(Buffer.alloc(16))).toBeUndefined();
    // What is damaged refers to anything.
    for (const bytes of [0, 25, 70_000]) expect(await finder.find(Buffer.alloc(bytes))).toBeUndefined();
    expect((await finder.find(idOf(7)))?.sizeBytes).toBe(7);
    port1.close();
    index.close();
  });

  it.each([
    undefined,
    null,
    {},
    { find: 'all' },
    { find: [1] },
    { find: [new Uint8Array(25)] },
    { find: new Array(257).fill(new Uint8Array(24)) },
  ])('are not looked for where the question is none: %j', async (question) => {
    const index = await indexContainer(new MemoryContainer());
    expect(await answerFind(index, question)).toBeUndefined();
    index.close();
  });
});
