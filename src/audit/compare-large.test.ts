import { expect, it } from 'vitest';
import type { Asker } from '../engine/asker.js';
import { compareLarge } from './compare-large.js';
import { LARGE_BYTES } from './tasks/compare-content.js';
import type { AuditKinds, RangeResult, RangeTask } from './tasks/kinds.js';

const file = { path: Buffer.from('d'), name: Buffer.from('large'), handle: Buffer.alloc(16) };

/** Lanes that answer as they are told; what they were asked is kept. */
function crewOf(answer: (task: RangeTask) => Promise<RangeResult> | RangeResult, lanes = 1) {
  const asked: RangeTask[] = [];
  const subjects: string[] = [];
  const crew = {
    lanes,
    async ask(_kind: string, task: RangeTask, _units: number, { subject }: { subject: () => string }) {
      asked.push(task);
      subjects.push(subject());
      return answer(task);
    },
  } as unknown as Asker<AuditKinds>;
  return { crew, asked, subjects };
}

const same = ({ firstByte, endByte }: RangeTask): RangeResult => ({
  bytes: endByte - firstByte,
  difference: undefined,
  unchecked: undefined,
});

it('a large file is compared in parts that follow each other and end with the last byte', async () => {
  const { crew, asked, subjects } = crewOf(same);
  const sizeBytes = 2 * LARGE_BYTES + 5;
  const told: number[] = [];
  expect(
    await compareLarge(crew, { ...file, sizeBytes, sha256: undefined }, (bytes) => told.push(bytes)),
  ).toBeUndefined();
  expect(asked.map(({ firstByte, endByte, isLast }) => [firstByte, endByte, isLast])).toEqual([
    [0, LARGE_BYTES, false],
    [LARGE_BYTES, 2 * LARGE_BYTES, false],
    [2 * LARGE_BYTES, sizeBytes, true],
  ]);
  expect(told.reduce((sum, bytes) => sum + bytes, 0)).toBe(sizeBytes);
  expect(new Set(subjects)).toEqual(new Set(['"d/large"']));
});

it('one whose sum is known is compared as a whole, and one without bytes not at all', async () => {
  const { crew, asked } = crewOf(same);
  await compareLarge(crew, { ...file, sizeBytes: 3 * LARGE_BYTES, sha256: 'ab' }, () => undefined);
  expect(asked).toEqual([
    expect.objectContaining({ firstByte: 0, endByte: 3 * LARGE_BYTES, isLast: true, sha256: 'ab' }),
  ]);
  await compareLarge(crew, { ...file, sizeBytes: 0, sha256: undefined }, () => undefined);
  expect(asked.length).toBe(1);
});

it('the first part that differs counts, whichever is answered first, and no part is begun after one', async () => {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { crew, asked } = crewOf(async (task) => {
    const at = task.firstByte / LARGE_BYTES;
    if (at === 1) await held;
    if (at === 2) release();
    return { ...same(task), difference: at === 1 || at === 2 ? `part ${at}` : undefined };
  });
  const result = await compareLarge(
    crew,
    { ...file, sizeBytes: 100 * LARGE_BYTES, sha256: undefined },
    () => undefined,
  );
  expect(result?.difference).toBe('part 1');
  expect(asked.length).toBeLessThan(10);
});

it('a part that could not be checked is told as such', async () => {
  const { crew } = crewOf((task) => ({ ...same(task), unchecked: 'cannot be read' }));
  const result = await compareLarge(crew, { ...file, sizeBytes: 1, sha256: undefined }, () => undefined);
  expect(result?.unchecked).toBe('cannot be read');
});
