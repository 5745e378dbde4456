import { closeSync, mkdirSync, mkdtempSync, openSync, truncateSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { runProgram } from './support/program.js';
import { removeTree } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-sparse-'));
afterAll(() => removeTree(base));

it('a sparse file of 9 GiB, at the real sizes: its last segments are behind an indirect block', async () => {
  const source = join(base, 'source');
  mkdirSync(source);
  const file = join(source, 'sparse');
  const sizeBytes = 9 * 1024 ** 3 + 12345;
  const fd = openSync(file, 'w');
  for (const position of [0, 16384, 5_000_000_000, sizeBytes - 1000]) writeSync(fd, `data at ${position}`, position);
  closeSync(fd);
  truncateSync(file, sizeBytes);
  const container = join(base, 'container');
  const load = await runProgram('clfsload', ['load', source, container, `--state-path=${join(base, 'state')}`]);
  expect(load.stdout).toContain(`TotalBytesTransferred: ${sizeBytes}\n`);
  expect(load.code).toBe(0);
  const stat = JSON.parse((await runProgram('clfsload', ['stat', '--json', container, 'sparse'])).stdout) as {
    segments: string[];
    indirect_roots: string[];
  };
  expect(stat.segments.length).toBe(Math.ceil((sizeBytes - 16384) / 8388608));
  expect(stat.indirect_roots.map((id) => /^0+$/.test(id))).toEqual([false, true, true, true]);
  const fsck = await runProgram('clfsload', ['fsck', container]);
  expect(fsck.stdout).toContain(': 0 errors, 0 warnings');
  for (const position of [0, 16384, 5_000_000_000, sizeBytes - 1000]) {
    const text = `data at ${position}`;
    const cat = await runProgram('clfsload', [
      'cat',
      container,
      'sparse',
      `--offset=${position}`,
      `--length=${text.length}`,
    ]);
    expect(cat.stdout).toBe(text);
  }
  const verify = await runProgram('clfsload', ['verify', source, container, '--content']);
  expect(verify.stdout).toContain('2 same, 0 different');
  expect(verify.code).toBe(0);
});
