import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CURRENT_DIRECTORY } from './libc.js';
import { openAtLater, statAtLater, statFdLater } from './libc-later.js';

describe('calls that wait in the pool', () => {
  it('are all made, however many there are at once, and each has the error of its own', async () => {
    const base = mkdtempSync(join(tmpdir(), 'clfs-libc-later-'));
    const file = join(base, 'file');
    writeFileSync(file, 'content');
    const fd = openSync(file, 'r');
    const calls = Array.from({ length: 1500 }, (_, n) => {
      if (n % 3 === 0) return statFdLater(fd).then(({ sizeBytes }) => String(sizeBytes));
      if (n % 3 === 1) return statAtLater(CURRENT_DIRECTORY, Buffer.from(join(base, 'missing'))).catch(errnoOf);
      return openAtLater(CURRENT_DIRECTORY, Buffer.from(join(file, 'below')), 0).catch(errnoOf);
    });
    const answers = await Promise.all(calls);
    expect(answers).toEqual(answers.map((_, n) => ['7', 'ENOENT', 'ENOTDIR'][n % 3]));
    closeSync(fd);
    rmSync(base, { recursive: true });
  });
});

function errnoOf(error: unknown): unknown {
  return (error as { errno?: unknown }).errno ?? error;
}
