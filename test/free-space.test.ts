import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { freeSpaceWarnings, judgeFreeSpace } from '../src/state/free-space.js';
import { isRoot, removeTree } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-space-'));
afterAll(() => removeTree(base));
const MIB = 1048576;

describe('room for the state', () => {
  it.each([
    ['plenty', 10_000 * MIB, 1000, 0, []],
    ['below 100 MiB', 100 * MIB - 1, 1000, 0, ['99 MiB free']],
    ['exactly 100 MiB', 100 * MIB, 1000, 0, []],
    [
      'enough for a small tree, not for a known large one',
      1000 * MIB,
      1000,
      20_000_000,
      ['1000 MiB free; this load may need up to 1428 MiB'],
    ],
    ['enough for a known large one', 1500 * MIB, 1000, 20_000_000, []],
    ['no more files', 1000 * MIB, 0, 0, ['room for 0 more files']],
    ['no limit of files', 1000 * MIB, undefined, 0, []],
    ['neither', 0, 3, 0, [' 0 MiB free', 'room for 3 more files']],
  ])('%s', (_, freeBytes, freeFiles, entries, wanted) => {
    const warnings = judgeFreeSpace('/state "x"', { freeBytes, freeFiles }, entries);
    expect(warnings).toHaveLength(wanted.length);
    for (const [at, text] of wanted.entries()) expect(warnings[at]).toContain(text);
    for (const warning of warnings) expect(warning).toContain('"/state \\"x\\""');
  });

  it('a path that does not exist yet, and one that cannot be looked at', () => {
    expect(freeSpaceWarnings(join(base, 'not', 'there'), 2 ** 45)).toHaveLength(1);
    writeFileSync(join(base, 'file'), '');
    expect(freeSpaceWarnings(join(base, 'file', 'below'), 2 ** 45)).toEqual([]);
  });

  it.runIf(isRoot)('a small file system', () => {
    const mounted = join(base, 'small');
    mkdirSync(mounted);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m,nr_inodes=10', 'none', mounted]);
    try {
      const warnings = freeSpaceWarnings(join(mounted, 'state'));
      expect(warnings).toHaveLength(2);
      expect(warnings[0]).toContain('has 8 MiB free');
      expect(warnings[1]).toContain('has room for 9 more files');
    } finally {
      execFileSync('umount', [mounted]);
    }
  });
});
