import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openLocalContainer } from '../src/container/local-container.js';
import { expectFaithful } from './support/check.js';
import { runProgram } from './support/program.js';
import { isRoot, removeTree } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-disk-'));
afterAll(() => removeTree(base));

/** Mounts a file system of its own; undefined where that is not allowed. */
function mount(name: string, options: string): string | undefined {
  const path = join(base, name);
  mkdirSync(path);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path], { stdio: 'ignore' });
    return path;
  } catch {
    return undefined;
  }
}

function makeSource(name: string): string {
  const source = join(base, name);
  for (let d = 0; d < 30; d++) {
    mkdirSync(join(source, `d${d}`), { recursive: true });
    for (let f = 0; f < 60; f++) writeFileSync(join(source, `d${d}`, `${f}-${'name'.repeat(40)}`), 'x');
  }
  return source;
}

describe.skipIf(!isRoot)('the disk of the state (needs root)', () => {
  it('read-only: refused', async (context) => {
    const path = mount('read-only', 'ro');
    if (!path) return context.skip('mounting is not allowed here');
    const source = makeSource('source-ro');
    const run = await runProgram('clfsload', [
      'load',
      source,
      join(base, 'container-ro'),
      `--state-path=${join(path, 'state')}`,
    ]);
    execFileSync('umount', [path]);
    expect(run.stdout).toMatch(/Cannot make the state directory .*read-only file system/i);
    expect(run.code).toBe(1);
  });

  it('full at whatever moment while the job begins: told, and begun by the same command when there is room', async (context) => {
    const path = mount('begins', 'size=140k');
    if (!path) return context.skip('mounting is not allowed here');
    const source = join(base, 'source-begins');
    mkdirSync(source);
    writeFileSync(join(source, 'file'), 'x');
    for (let size = 140; size <= 156; size += 4) {
      execFileSync('mount', ['-o', `remount,size=${size}k`, path]);
      const [container, state] = [join(base, `container-begins-${size}`), join(path, 'state')];
      const args = ['load', source, container, `--state-path=${state}`];
      const run = await runProgram('clfsload', args);
      if (run.code !== 0) {
        expect(run.stdout).toMatch(/database or disk is full/);
        expect(run.stderr).not.toMatch(/^ +at /m);
        execFileSync('mount', ['-o', 'remount,size=1m', path]);
        const begun = existsSync(state) && run.stdout.includes('--new-session=false');
        expect((await runProgram('clfsload', begun ? ['resume', state] : args)).stdout).toContain(
          'Status: Completed\n',
        );
      }
      removeTree(state);
    }
    execFileSync('umount', [path]);
  });

  it('full: refused, or stopped with the reason and resumable', async (context) => {
    const path = mount('full', 'size=300k');
    if (!path) return context.skip('mounting is not allowed here');
    const source = makeSource('source-full');
    const args = ['load', source, join(base, 'container-full'), `--state-path=${join(path, 'state')}`];
    const stopped = await runProgram('clfsload', args);
    expect(stopped.stdout).toMatch(/database or disk is full/);
    expect(stopped.stdout).toContain('Final Job Status: Failed\n');
    expect(stopped.code).toBe(1);
    execFileSync('mount', ['-o', 'remount,size=50m', path]);
    const resumed = await runProgram('clfsload', [...args, '--new-session=false']);
    const log = readFileSync(join(path, 'state', 'clfsload.log'), 'utf8');
    execFileSync('umount', [path]);
    expect(resumed.stdout, log).toContain('Final Job Status: Completed\n');
    const container = await openLocalContainer(join(base, 'container-full'));
    await expectFaithful(source, container);
    await container.close();
  });
});
