import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Outbox } from './outbox.js';
import { Reassembly, TaskInPieces } from './pieces.js';

describe('what is told in pieces', () => {
  it('is put together once and in order, whatever comes twice, late or in another order', () => {
    const told = fc.array(fc.uint8Array({ maxLength: 5000 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(told, fc.infiniteStream(fc.nat()), (messages, draws) => {
        const pieces: Parameters<Reassembly['add']>[0][] = [];
        const outbox = new Outbox(0, async (piece) => {
          pieces.push(piece);
          return true;
        });
        const next = () => draws.next().value as number;
        for (const bytes of messages) void outbox.add('part', bytes);
        const reassembly = new Reassembly();
        const whole: Uint8Array[] = [];
        // Four pieces are under way at once; the others wait until these have arrived.
        const arrived = [...pieces, ...pieces].sort(() => (next() % 2) - 0.5);
        for (const piece of [...arrived, ...pieces]) for (const each of reassembly.add(piece)) whole.push(each.bytes);
        const sent = messages.map((bytes) => Buffer.from(bytes));
        for (const [at, bytes] of whole.entries()) expect(Buffer.from(bytes).equals(sent[at])).toBe(true);
        expect(reassembly.next).toBe(pieces.length);
      }),
    );
  });

  it('keeps what a message holds, and a piece beyond the last is empty', () => {
    const task = new TaskInPieces({ name: Buffer.alloc(10_000) }, 2048);
    expect(task.count).toBe(10);
    expect(task.at(0)).toHaveLength(1024);
    expect(task.at(10)).toHaveLength(0);
  });
});
