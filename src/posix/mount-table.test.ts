import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readMountTable } from './mount-table.js';

const isRoot = process.getuid?.() === 0;
const whatIsMounted = () => readFileSync('/proc/self/mountinfo', 'latin1');

describe('the table of what is mounted', () => {
  it('is that of the system, each time', () => {
    expect(readMountTable()).toBe(whatIsMounted());
    expect(readMountTable()).toBe(whatIsMounted());
  });

  it.runIf(isRoot)('is read again after each change (as root)', () => {
    const point = mkdtempSync(join(tmpdir(), 'clfs-mount-table-'));
    for (let round = 0; round < 3; round++) {
      execFileSync('mount', ['-t', 'tmpfs', 'none', point]);
      expect(readMountTable()).toContain(` ${point} `);
      execFileSync('umount', [point]);
      expect(readMountTable()).not.toContain(point);
      expect(readMountTable()).toBe(whatIsMounted());
    }
    rmSync(point, { recursive: true });
  });
});
