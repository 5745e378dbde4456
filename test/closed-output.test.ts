import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadWhole, startProgram } from './support/program.js';
import { removeTree } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-closed-output-'));
afterAll(() => removeTree(base));
const DIST = new URL('../dist/', import.meta.url).pathname;
const source = join(base, 'source');
const other = join(base, 'other');
const container = join(base, 'container');

describe('output that nobody reads', () => {
  beforeAll(async () => {
    for (const directory of [source, other]) mkdirSync(directory);
    for (let file = 0; file < 20; file++) writeFileSync(join(source, `file ${file}`), 'content');
    await loadWhole(source, container, join(base, 'state'));
  });

  it.each([
    ['verify', () => ['verify', other, container]],
    ['verify --report', () => ['verify', other, container, '--report', join(base, 'report')]],
    ['fsck', () => ['fsck', '--content', container]],
    ['manifest', () => ['manifest', '--hash', container]],
    ['cat', () => ['cat', container, 'file 1']],
    ['ls', () => ['ls', '-l', container]],
    ['export', () => ['export', container, join(base, 'target')]],
    ['export --tar', () => ['export', container, '--tar=-']],
  ])('does not let %s end with 0', async (_name, args) => {
    const { child, done } = startProgram('clfsload', args());
    child.stdout?.destroy();
    const { code, stderr } = await done;
    expect(stderr).toBe('');
    expect(code).toBe(141);
  });
});

it('a signal that comes when a verb has ended, and not all that it wrote is taken, is told by the exit code', async () => {
  const program = `
    import { runVerb } from ${JSON.stringify(`${DIST}cli/run-verb.js`)};
    import { endProcess } from ${JSON.stringify(`${DIST}cli/end-process.js`)};
    const code = await runVerb(async (io) => {
      // What waits is less than what a writer has to wait for.
      while (process.stdout.writableLength === 0) await io.write('x'.repeat(1000));
      const stopped = new Promise((resolve) => io.signal.addEventListener('abort', resolve));
      process.kill(process.pid, 'SIGINT');
      await stopped;
      return 0;
    });
    endProcess(code);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  expect(await new Promise<number | null>((resolve) => child.on('exit', resolve))).toBe(130);
  child.stdout.destroy();
});

it('a verb that a signal ends well keeps its code, when all that it wrote is taken', async () => {
  const program = `
    import { runVerb } from ${JSON.stringify(`${DIST}cli/run-verb.js`)};
    process.exitCode = await runVerb(async (io) => {
      await io.write('words');
      const alive = setInterval(() => undefined, 1000);
      const stopped = new Promise((resolve) => io.signal.addEventListener('abort', resolve));
      process.kill(process.pid, 'SIGTERM');
      await stopped;
      clearInterval(alive);
      return 0;
    });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let stdout = '';
  child.stdout.on('data', (text: Buffer) => {
    stdout += text.toString();
  });
  expect(await new Promise<number | null>((resolve) => child.on('close', resolve))).toBe(0);
  expect(stdout).toBe('words');
});
