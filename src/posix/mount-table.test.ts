import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
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

  it.runIf(isRoot)(
    'has what is mounted where it is, once a directory above it has another name (as root)',
    async () => {
      const base = mkdtempSync(join(tmpdir(), 'clfs-mount-table-'));
      const at = (name: string) => join(base, name);
      const read = (name: string) => readMountTable(Buffer.from(at(name)));
      mkdirSync(at('a/in/point'), { recursive: true });
      execFileSync('mount', ['-t', 'tmpfs', 'none', at('a/in/point')]);
      try {
        expect(read('a')).toContain(` ${at('a/in/point')} `);
        // Of what is asked about, at once.
        renameSync(at('a'), at('b'));
        expect(read('b')).toContain(` ${at('b/in/point')} `);
        // Below it, soon.
        renameSync(at('b/in'), at('b/other'));
        await sleep(600);
        expect(read('b')).toContain(` ${at('b/other/point')} `);
      } finally {
        for (const point of ['a/in/point', 'b/in/point', 'b/other/point']) spawnSync('umount', [at(point)]);
        rmSync(base, { recursive: true });
      }
    },
  );
});
