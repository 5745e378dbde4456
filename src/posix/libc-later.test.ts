import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CURRENT_DIRECTORY, Open } from './libc.js';
import { closeLater, openAtLater, readAtLater, statAtLater, statFdLater } from './libc-later.js';

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

  it('open what is below a directory, whatever bytes its name has, and however long the path is', async () => {
    const base = mkdtempSync(join(tmpdir(), 'clfs-libc-later-'));
    const name = Buffer.from([0xff, 0x0a, 0xc3]);
    writeFileSync(Buffer.concat([Buffer.from(`${base}/`), name]), 'content');
    const at = openSync(base, 'r');
    const longest = Buffer.concat([Buffer.from('./'.repeat(2045)), name]);
    for (const path of [name, longest]) {
      const fd = await openAtLater(at, path, Open.readOnly | Open.noFollow);
      const bytes = Buffer.alloc(20);
      expect(bytes.toString('latin1', 0, await readAtLater(fd, bytes, 3))).toBe('tent');
      await closeLater(fd);
      expect(() => closeSync(fd)).toThrow('EBADF');
    }
    expect(await openAtLater(at, Buffer.from('missing'), Open.readOnly).catch(errnoOf)).toBe('ENOENT');
    closeSync(at);
    rmSync(base, { recursive: true });
  });
});

function errnoOf(error: unknown): unknown {
  return (error as { errno?: unknown }).errno ?? error;
}
