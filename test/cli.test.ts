import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryContainer } from '../src/container/memory-container.js';
import { load } from '../src/load/load.js';
import { expectFaithful, findingsOf, SMALL } from './support/check.js';
import { unpackGolden } from './support/golden.js';
import { runProgram } from './support/program.js';
import { removeTree, someBytes } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-cli-'));
afterAll(() => removeTree(base));
const bin = (name: string) => new URL(`../bin/${name}`, import.meta.url).pathname;

describe('the commands', () => {
  it('azcopy hands other commands to the next azcopy in PATH, or says that there is none', () => {
    const directory = join(base, 'path');
    mkdirSync(directory);
    const env = (path: string) => ({ ...process.env, PATH: path });
    const none = spawnSync(process.execPath, [bin('azcopy'), 'copy', 'a'], { env: env(directory), encoding: 'utf8' });
    expect(none.status).toBe(1);
    expect(none.stderr).toContain('there is no other azcopy in PATH to hand "copy" to');
    writeFileSync(join(directory, 'azcopy'), '#!/bin/sh\necho "other azcopy: $*"\nexit 7\n');
    chmodSync(join(directory, 'azcopy'), 0o755);
    const next = spawnSync(process.execPath, [bin('azcopy'), 'copy', 'a b', '--flag'], {
      env: env(`${directory}:/bin`),
      encoding: 'utf8',
    });
    expect(next.stdout).toBe('other azcopy: copy a b --flag\n');
    expect(next.status).toBe(7);
    writeFileSync(join(directory, 'azcopy'), '#!/bin/sh\nkill -TERM $$\n');
    const ended = spawnSync(process.execPath, [bin('azcopy'), 'copy'], { env: env(`${directory}:/bin`) });
    expect(ended.status).toBe(128 + 15);
  });

  it('azcopy has its own help for what it does itself, whatever the next azcopy knows of it', async () => {
    const directory = join(base, 'other');
    mkdirSync(directory);
    writeFileSync(join(directory, 'azcopy'), '#!/bin/sh\necho deprecated\n', { mode: 0o755 });
    const help = async (...of: string[]) =>
      (await runProgram('azcopy', ['help', ...of], { PATH: `${directory}:${process.env.PATH}` })).stdout;
    expect(await help('load', 'clfs')).toContain('--state-path');
    expect(await help('load')).toContain('azcopy load [command]');
    expect(await help('clfs', 'ls')).toContain('azcopy clfs ls');
    expect(await help('copy')).toBe('deprecated\n');
  });

  it('azcopy finds its own commands behind flags, too', async () => {
    const { source, container, state } = {
      source: join(base, 'led'),
      container: join(base, 'led-c'),
      state: join(base, 'led-s'),
    };
    mkdirSync(source);
    const load = await runProgram('azcopy', [
      ...['--output-type=json', '--log-level', 'DEBUG', 'load', 'clfs'],
      ...[source, container, `--state-path=${state}`],
    ]);
    expect(load.stdout).toContain('"MessageType":"EndOfJob"');
    expect(load.code).toBe(0);
    expect((await runProgram('azcopy', ['--json', 'clfs', 'stat', container])).stdout).toMatch(/^\{/);
    // A flag of another's may have no value.
    for (const others of [
      ['copy', 'clfs', 'https://x'],
      ['copy', 'load', 'clfs'],
    ]) {
      const run = await runProgram('azcopy', ['--skip-version-check', ...others], { PATH: dirname(process.execPath) });
      expect(run.stderr).toContain('there is no other azcopy in PATH');
    }
  });

  it('a dry run says of what it takes no notice', async () => {
    const { stdout } = await runProgram('clfsload', [
      'load',
      base,
      join(base, 'c'),
      '--dry-run',
      '--threads=2',
      '--page',
    ]);
    expect(stdout).toContain('INFO: A dry run takes no notice of --threads, --page.\n');
  });

  it('an export is found by its target, where its state is kept beside that', async () => {
    const [source, container, target] = ['by-target', 'by-target-c', 'by-target-t'].map((name) => join(base, name));
    mkdirSync(source);
    await runProgram('clfsload', ['load', source, container, `--state-path=${join(base, 'by-target-s')}`]);
    const state = join(base, '.by-target-t.clfsload-export');
    await runProgram('clfsload', ['export', container, target, `--state-path=${state}`]);
    expect((await runProgram('clfsload', ['status', target])).stdout).toContain(`Target:    ${target}\n`);
    expect((await runProgram('clfsload', ['resume', target])).stdout).toContain('1 entry written');
    expect((await runProgram('clfsload', ['status', source])).stderr).toContain('holds no job');
  });

  it('a fault of the program is told', async () => {
    const [source, container, state, fault] = ['f-s', 'f-c', 'f-state', 'fault.mjs'].map((name) => join(base, name));
    mkdirSync(source);
    await runProgram('clfsload', ['load', source, container, `--state-path=${state}`]);
    writeFileSync(fault, "setTimeout(() => { throw new Error('a fault'); }, 3000).unref();\n");
    const run = await runProgram('clfsload', ['page', state], { NODE_OPTIONS: `--import=${fault}` });
    expect(run.stderr).toContain('Error: a fault');
    expect(run.code).toBe(1);
  });

  it('help and version', async () => {
    expect((await runProgram('clfsload', ['--help'])).stdout).toContain('clfsload [verb] [arguments] [flags]');
    expect((await runProgram('clfsload', ['--version'])).stdout).toMatch(/^clfsload \d+\.\d+\.\d+\n$/);
    expect((await runProgram('clfsload', ['version'])).stdout).toMatch(/^clfsload \d/);
    expect((await runProgram('azcopy', ['load'])).stdout).toContain('azcopy load [command]');
    expect((await runProgram('azcopy', ['load', 'clfs', '--help'])).stdout).toContain('--state-path');
    expect((await runProgram('azcopy', ['clfs'])).stdout).toContain('azcopy clfs [verb]');
    const mistyped = await runProgram('clfsload', ['verfy']);
    expect(mistyped.stderr).toContain('Did you mean "verify"?');
    expect(mistyped.code).toBe(2);
  });

  it('JSON output: one object a line, content in a string', async () => {
    const source = join(base, 'json-source');
    mkdirSync(source);
    writeFileSync(join(source, 'file'), 'x'.repeat(100));
    const run = await runProgram('azcopy', [
      'load',
      'clfs',
      '--output-type=json',
      source,
      '--state-path',
      join(base, 'json-state'),
      join(base, 'json-container'),
    ]);
    expect(run.code).toBe(0);
    const lines = run.stdout
      .trim()
      .split('\n')
      .map(
        (line) =>
          JSON.parse(line) as {
            TimeStamp: string;
            MessageType: string;
            MessageContent: string;
            PromptDetails: unknown;
          },
      );
    for (const line of lines) {
      expect(Object.keys(line)).toEqual(['TimeStamp', 'MessageType', 'MessageContent', 'PromptDetails']);
      expect(line.TimeStamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
      expect(line.PromptDetails).toEqual({ PromptType: '', ResponseOptions: null, PromptTarget: '' });
    }
    expect(lines.map((line) => line.MessageType)).toEqual([
      'Init',
      'Info',
      'Info',
      'Info',
      'Info',
      'Info',
      'Info',
      'EndOfJob',
    ]);
    expect(lines.slice(1, 7).map((line) => line.MessageContent.replace(/\d+\.\d+\.\d+/, 'VERSION'))).toEqual([
      'INFO: CLFSLoad Extension version: VERSION',
      'INFO: CLFSLoad Extension configurations: compression type=LZ4, preserve hard links=false',
      'INFO: Starting a new job.',
      'INFO: Init phase has started.',
      'INFO: Transfer phase has started.',
      'INFO: Finalize phase has started.',
    ]);
    expect(JSON.parse(lines[7].MessageContent)).toMatchObject({
      files_completed_failed: 0,
      files_completed_success: 2,
      files_skipped: 0,
      files_total: 2,
      final_job_status: 'Completed',
      total_bytes_transferred: 100,
    });
  });

  it('no output at all, and a closed pipe, do not harm a load', async () => {
    const source = join(base, 'json-source');
    const quiet = await runProgram('clfsload', [
      'load',
      source,
      join(base, 'quiet'),
      `--state-path=${join(base, 'quiet-state')}`,
      '--output-type=none',
    ]);
    expect(quiet.stdout + quiet.stderr).toBe('');
    expect(quiet.code).toBe(0);
    execFileSync('sh', [
      '-c',
      '"$0" "$1" load "$2" "$3" --state-path="$4" | true; exit 0',
      process.execPath,
      bin('clfsload'),
      source,
      join(base, 'piped'),
      join(base, 'piped-state'),
    ]);
    for (let attempt = 0; attempt < 100; attempt++) {
      const status = await runProgram('clfsload', ['status', '--json', `--state-path=${join(base, 'piped-state')}`]);
      if (status.code === 0 && (JSON.parse(status.stdout) as { state: string }).state === 'finished') return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error('The load did not end.');
  });

  it('a host that is no Blob service is refused', async () => {
    const server = createServer((_request, response) => response.end('<html>hello</html>'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const run = await runProgram('clfsload', [
      'load',
      join(base, 'json-source'),
      `http://127.0.0.1:${port}/account/container?sv=2021-12-02&sig=c2ln`,
      `--state-path=${join(base, 'wrong-host')}`,
    ]);
    server.close();
    expect(run.stdout).toMatch(/something else than a listing/);
    expect(run.code).toBe(1);
  });
});

describe('the reading verbs, on a reference container', () => {
  const golden = unpackGolden('basic-lz4');
  beforeAll(() => undefined);
  afterAll(() => golden.remove());
  const verb = (...args: string[]) => runProgram('clfsload', args);

  it('find, ls and du see every entry', async () => {
    const found = await verb('find', golden.blobs);
    expect(found.code).toBe(0);
    expect(found.stdout.trim().split('\n').length).toBe(golden.manifest.length);
    const files = golden.manifest.filter(({ sha256 }) => sha256 !== undefined);
    expect((await verb('find', golden.blobs, '--type', 'f')).stdout.trim().split('\n').length).toBe(files.length);
    expect((await verb('find', golden.blobs, '-type', 'f', '-size', '-1')).stdout).toBe(
      (await verb('find', golden.blobs, '--type=f', '--size=-1')).stdout,
    );
    const listed = (await verb('ls', '-R', '-a', '--json', golden.blobs)).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { path_hex: string });
    const paths = new Set(listed.map(({ path_hex }) => path_hex));
    for (const { path_hex, path } of golden.manifest) if (path !== '.') expect(paths.has(path_hex), path).toBe(true);
    const du = JSON.parse((await verb('du', '-s', '--json', golden.blobs)).stdout) as {
      entries: Record<string, number>;
    };
    expect(Object.values(du.entries).reduce((sum, count) => sum + count)).toBe(golden.manifest.length);
  });

  it('manifest --sha256sum and cat agree with the manifest', async () => {
    const sums = new Map(
      (await verb('manifest', '--sha256sum', golden.blobs)).stdout
        .trim()
        .split('\n')
        .map((line) => [line.slice(line.startsWith('\\') ? 67 : 66), line.replace(/^\\/, '').slice(0, 64)]),
    );
    const plain = golden.manifest.filter(({ path, sha256 }) => sha256 !== undefined && /^[\w./-]+$/.test(path));
    expect(plain.length).toBeGreaterThan(10);
    for (const { path, sha256 } of plain) expect(sums.get(path), path).toBe(sha256);
    const some = plain.find(({ size }) => Number(size) > 100 && Number(size) < 10_000) ?? plain[0];
    const whole = await verb('cat', golden.blobs, some.path);
    const part = await verb('cat', golden.blobs, some.path, '--offset=10', '--length=20');
    expect(part.stdout).toBe(whole.stdout.slice(10, 30));
  });

  it('fsck, info, stat, and what is not there', async () => {
    const fsck = await verb('fsck', golden.blobs, '--content');
    expect(fsck.stdout).toContain(': 0 errors');
    expect(fsck.code).toBe(0);
    expect((await verb('info', golden.blobs)).stdout).toContain('Written by:   CLFSLoad');
    const missing = await verb('stat', golden.blobs, 'no/such/entry');
    expect(missing.code).toBe(2);
    expect(missing.stderr).toContain('Cannot find "no');
    expect((await verb('ls', join(base, 'no-container'))).code).toBe(2);
    expect((await verb('verify', golden.blobs)).code).toBe(2);
  });
});

describe('limits of the format', () => {
  it('a file that four trees do not hold is a failure with its reason', async () => {
    const source = join(base, 'too-large');
    mkdirSync(source);
    writeFileSync(join(source, 'fits'), someBytes(600 + 2500 * 124, 1));
    writeFileSync(join(source, 'too-large'), someBytes(600 + 2500 * 124 + 1, 2));
    const container = new MemoryContainer();
    const statePath = join(base, 'too-large-state');
    const summary = await load({
      source,
      destination: '/unused',
      statePath,
      internals: { container, geometry: SMALL },
    });
    expect(summary.status).toBe('CompletedWithErrors');
    expect(readFileSync(join(statePath, 'failures.jsonl'), 'utf8')).toContain('"entry-too-large"');
    await expectFaithful(source, container, SMALL, ['too-large']);
  });

  it('links beyond 1023 become copies of their own, with a warning', async () => {
    const source = join(base, 'many-links');
    mkdirSync(join(source, 'd'), { recursive: true });
    writeFileSync(join(source, 'first'), 'content');
    for (let i = 1; i < 1030; i++) linkSync(join(source, 'first'), join(source, i % 2 === 0 ? 'd' : '.', `link-${i}`));
    const container = new MemoryContainer();
    const statePath = join(base, 'many-links-state');
    const summary = await load({
      source,
      destination: '/unused',
      statePath,
      preserveHardLinks: true,
      internals: { container },
    });
    expect(summary.status).toBe('Completed');
    expect(summary.linkCopies).toBe(7);
    const { stdout } = await runProgram('clfsload', ['status', `--state-path=${statePath}`]);
    expect(stdout).toContain('\nLinks:     7 became copies of their own; the log tells which\n');
    expect(await findingsOf(container)).toEqual([]);
    expect([...container.blobs.keys()].filter((name) => /\.0001\.[0-9A-F]{16}\./.test(name)).length).toBe(1 + 7);
    expect(readFileSync(join(statePath, 'clfsload.log'), 'utf8').match(/WARNING .*more than 1023 links/g)?.length).toBe(
      7,
    );
    await expectFaithful(source, container);
  });
});
