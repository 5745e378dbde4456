import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadWhole, runProgram } from './support/program.js';
import { removeTree, someBytes } from './support/tree.js';

const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'clfs-interruption-'));
afterAll(() => removeTree(base));
const BIN = new URL('../bin/clfsload', import.meta.url).pathname;
const source = join(base, 'source');
const container = join(base, 'container');
const FILES = 12_000;
/** Loaded before the program: sends the process a signal when it has read so many blobs, and again if asked to. */
const PRELOAD = `
const fs = require('node:fs');
const { syncBuiltinESMExports } = require('node:module');
const open = fs.openSync;
let blobs = 0;
fs.openSync = (path, ...rest) => {
  if (typeof path === 'string' && path.startsWith(process.env.TEST_CONTAINER) && ++blobs === 300) process.kill(process.pid, process.env.TEST_SIGNAL);
  if (blobs > 300 && process.env.TEST_MARK) fs.writeFileSync(process.env.TEST_MARK, String(blobs));
  return open(path, ...rest);
};
syncBuiltinESMExports();
`;

async function interrupted(
  signal: string,
  args: readonly string[],
): Promise<{ readonly code: number | null; readonly blobs: number; readonly stderr: string }> {
  const mark = join(base, `mark-${Math.random()}`);
  const child = spawn(process.execPath, ['--require', join(base, 'preload.cjs'), BIN, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, TEST_CONTAINER: container, TEST_SIGNAL: signal, TEST_MARK: mark },
  });
  let stderr = '';
  child.stderr.on('data', (text: Buffer) => {
    stderr += text.toString();
  });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, stderr, blobs: existsSync(mark) ? Number(readFileSync(mark, 'utf8')) : 0 };
}

describe('a signal, on a container on disk', () => {
  beforeAll(async () => {
    mkdirSync(source);
    for (let f = 0; f < FILES; f++) {
      if (f % 500 === 0) mkdirSync(join(source, `d${f / 500}`));
      writeFileSync(join(source, `d${Math.floor(f / 500)}`, `file ${f}`), 'content');
    }
    writeFileSync(join(source, 'large'), someBytes(3_000_000, 1));
    writeFileSync(join(base, 'preload.cjs'), PRELOAD);
    await loadWhole(source, container, join(base, 'state'));
  });

  const VERBS: Record<string, () => string[]> = {
    ls: () => ['ls', '-lR', container],
    find: () => ['find', container, '--name', 'nothing'],
    du: () => ['du', '-s', container],
    manifest: () => ['manifest', container],
    'manifest --hash': () => ['manifest', '--hash', '--threads=2', container],
    fsck: () => ['fsck', container],
    'fsck --content': () => ['fsck', '--content', container],
    verify: () => ['verify', source, container],
    'verify --content': () => ['verify', '--content', '--threads=2', source, container],
    export: () => ['export', container, mkdtempSync(join(base, 'target-'))],
    'export --tar': () => ['export', container, '--tar', join(base, 'target.tar')],
  };
  it.each(Object.keys(VERBS))('ends %s soon, with exit code 130', async (verb) => {
    for (const signal of ['SIGINT', 'SIGTERM']) {
      const run = await interrupted(signal, VERBS[verb]());
      expect(run.code, signal).toBe(130);
      // Beside lines of progress it says how far it has come, as far as it counts anything.
      const said = run.stderr.trim().split('\n').at(-1);
      // An export that has begun says so on standard output.
      if (verb !== 'export' || said !== '')
        expect(said, signal).toMatch(
          /^Stopped\.( (Comparing|Checking|Manifest|Listing|Searching|Summing|Entries|Writing): \d+ .*\.)?$/,
        );
      // It was under way, and did not go on to its end.
      expect(run.blobs, signal).toBeLessThan(FILES / 2);
    }
  });

  it('leaves no part of a file behind', async () => {
    const target = join(base, 'target-whole');
    expect((await interrupted('SIGINT', ['export', container, target])).code).toBe(130);
    for (const directory of readdirSync(target).filter((name) => name.startsWith('d'))) {
      for (const name of readdirSync(join(target, directory)))
        expect(statSync(join(target, directory, name)).size).toBe('content'.length);
    }
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('%s ends cat while nobody reads its output', async (signal) => {
    const child = spawn(process.execPath, [BIN, 'cat', container, 'large'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.once('readable', () => setTimeout(() => child.kill(signal), 300));
    const code = await new Promise<number | null>((resolve) => child.on('exit', resolve));
    child.stdout.destroy();
    expect(code).toBe(130);
  });

  it.each([
    ['nobody opens', undefined],
    ['nobody reads', 'exec sleep 60 < "$0"'],
  ] as const)('ends verify while its report goes to a pipe that %s', async (_, reader) => {
    const pipe = join(base, `pipe ${reader}`);
    execFileSync('mkfifo', [pipe]);
    const other = reader === undefined ? undefined : spawn('sh', ['-c', reader, pipe], { stdio: 'ignore' });
    const child = spawn(process.execPath, [BIN, 'verify', source, container, '--report', pipe], { stdio: 'ignore' });
    setTimeout(() => child.kill('SIGTERM'), 4000);
    setTimeout(() => child.kill('SIGKILL'), 40_000).unref();
    expect(await new Promise<number | null>((resolve) => child.on('exit', resolve))).toBe(130);
    other?.kill();
  });

  it('a second one ends at once, whatever holds up the first', async () => {
    // The first one is held up by a file that is not to be closed.
    const preload = join(base, 'stuck.cjs');
    writeFileSync(
      preload,
      `require(${JSON.stringify(join(base, 'preload.cjs'))});
       const files = require('node:fs/promises');
       const { syncBuiltinESMExports } = require('node:module');
       const { open } = files;
       files.open = async (...how) => {
         const handle = await open(...how);
         handle.close = () => { process.send('closing'); return new Promise(() => setInterval(() => undefined, 1000)); };
         return handle;
       };
       syncBuiltinESMExports();`,
    );
    const child = spawn(
      process.execPath,
      ['--require', preload, BIN, 'export', container, '--tar', join(base, 'stuck.tar')],
      {
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
        env: { ...process.env, TEST_CONTAINER: container, TEST_SIGNAL: 'SIGINT' },
      },
    );
    await new Promise((resolve) => child.once('message', resolve));
    const begin = performance.now();
    child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGKILL'), 20_000).unref();
    const code = await new Promise<number | null>((resolve) => child.on('exit', resolve));
    expect(code).toBe(130);
    expect(performance.now() - begin).toBeLessThan(20_000);
  });
});

describe('cat into a slow pipe', () => {
  it('says nothing of leaked listeners', async () => {
    const large = join(base, 'slow-source');
    mkdirSync(large);
    writeFileSync(join(large, 'file'), someBytes(16384 + 8388608 * 4, 3));
    const place = join(base, 'slow-container');
    expect(
      (
        await runProgram('clfsload', [
          'load',
          large,
          place,
          `--state-path=${join(base, 'slow-state')}`,
          '--output-type=none',
        ])
      ).code,
    ).toBe(0);
    const child = spawn(
      'sh',
      ['-c', '"$0" "$1" cat "$2" file | (sleep 1; cat) | wc -c', process.execPath, BIN, place],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (text: Buffer) => {
      stdout += text.toString();
    });
    child.stderr.on('data', (text: Buffer) => {
      stderr += text.toString();
    });
    await new Promise((resolve) => child.on('close', resolve));
    expect(Number(stdout)).toBe(16384 + 8388608 * 4);
    expect(stderr).toBe('');
  });
});
