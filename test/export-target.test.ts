import { chmodSync, lstatSync, mkdirSync, mkdtempSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { SYSTEM_CALLS, type TargetCalls } from '../src/export/target/target-calls.js';
import { CURRENT_DIRECTORY, makeNode } from '../src/posix/libc.js';
import { exportSmall } from './support/export-small.js';
import { loadSmall } from './support/small-container.js';
import { removeTree } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-export-target-'));
afterAll(() => removeTree(base));

describe('somebody who can write to the target', () => {
  it('has no other file given a mode by a symlink in place of a fifo', async () => {
    const source = join(base, 'fifo');
    mkdirSync(source);
    makeNode(CURRENT_DIRECTORY, Buffer.from(join(source, 'fifo')), 0o010777, 0, 0);
    chmodSync(join(source, 'fifo'), 0o777);
    const store = await loadSmall(source, base);
    const target = join(base, 'fifo-target');
    const outside = join(base, 'outside');
    writeFileSync(outside, 'of somebody else', { mode: 0o600 });
    let swapped = 0;
    const makeAndSwap: TargetCalls['makeNode'] = (...how) => {
      SYSTEM_CALLS.makeNode(...how);
      unlinkSync(join(target, 'fifo'));
      symlinkSync(outside, join(target, 'fifo'));
      swapped++;
    };
    const summary = await exportSmall(store, base, target, {
      internals: { calls: { ...SYSTEM_CALLS, makeNode: makeAndSwap } },
    });
    expect(swapped).toBe(1);
    expect(lstatSync(outside).mode & 0o7777).toBe(0o600);
    expect(summary).toMatchObject({ failed: 1, failures: ['fifo'] });
  });
});
