import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { hashFile } from './manifest-lines.js';

const MIB = 1_048_576;

describe('the SHA-256 of a large file', () => {
  const bytes = randomBytes(9 * MIB + 5);
  const going = { asked: false };
  const read = (target: Buffer, position: number) => bytes.copy(target, 0, position);
  const sha256 = (data: Buffer) => createHash('sha256').update(data).digest('hex');

  it('is that of all its bytes, and of none that have been added', async () => {
    expect(await hashFile(read, bytes.length, going)).toBe(sha256(bytes));
    expect(await hashFile(read, 5 * MIB, going)).toBe(sha256(bytes.subarray(0, 5 * MIB)));
  });

  it.each([
    [0, 4 * MIB],
    [0, 7],
    [4 * MIB, MIB],
    [8 * MIB, 0],
  ])('is none when a read at %d gives %d bytes, as at the end', async (at, count) => {
    const shortRead = (target: Buffer, position: number) =>
      read(
        position >= at ? target.subarray(0, Math.min(target.length, Math.max(0, at + count - position))) : target,
        position,
      );
    await expect(hashFile(shortRead, bytes.length, going)).rejects.toMatchObject({ reason: 'entry-changed' });
  });
});
