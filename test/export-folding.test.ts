import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadWhole, runProgram } from './support/program.js';
import { mountSlowFs, type SlowFileSystem, whyNoSlowFs } from './support/slow-fs.js';
import { removeTree } from './support/tree.js';

const why = whyNoSlowFs();
const skipped = why === undefined ? '' : ` (skipped: ${why})`;

describe.skipIf(why !== undefined)(`a target that takes capital letters for small ones${skipped}`, () => {
  const base = mkdtempSync(join(tmpdir(), 'clfs-export-folding-'));
  let target: SlowFileSystem;
  beforeAll(() => {
    target = mountSlowFs(0, true);
  });
  afterAll(() => {
    target?.unmount();
    removeTree(base);
  });

  it('gets one of two names that it does not tell apart, and the other one is a failure', async () => {
    const source = join(base, 'source');
    for (const directory of ['', 'Below', 'below']) mkdirSync(join(source, directory));
    const files = ['one', 'File', 'file', 'Below/first', 'below/second'];
    for (const path of files) writeFileSync(join(source, path), `content of ${path}`);
    const container = join(base, 'container');
    await loadWhole(source, container, join(base, 'state'));
    const run = await runProgram('clfsload', ['export', container, join(target.mountPoint, 'tree'), '--json']);
    expect(run.code).toBe(1);
    expect(JSON.parse(run.stdout)).toMatchObject({
      status: 'CompletedWithErrors',
      // The root, the file with a name of its own, and of two the first one each, with what is in the directory.
      written: 5,
      replaced: 0,
      failed: 2,
      failures: [{ reason: 'name-repeated', entries: 2 }],
    });
    expect(run.stderr).toContain('another one that the target does not tell from it');
    const there = join(target.back, 'tree');
    expect(readdirSync(there).sort()).toEqual(['below', 'file', 'one']);
    const [below] = readdirSync(join(there, 'below'));
    expect(readFileSync(join(there, 'below', below), 'utf8').toLowerCase()).toBe(`content of below/${below}`);
    // Repeated, it says so again.
    const again = await runProgram('clfsload', ['export', container, join(target.mountPoint, 'tree')]);
    expect([again.code, again.stdout.split('\n')[0]]).toEqual([1, expect.stringContaining('2 failed')]);
  });
});
