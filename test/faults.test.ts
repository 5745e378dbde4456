import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openLocalContainer } from '../src/container/local-container.js';
import { MemoryContainer } from '../src/container/memory-container.js';
import { openContainer, parseContainer } from '../src/container/open-container.js';
import { Traffic } from '../src/container/traffic.js';
import { load } from '../src/load/load.js';
import type { LoadOptions } from '../src/load/options.js';
import type { SourceDirectory, SourceFile, SourceTree } from '../src/source/source-tree.js';
import { type Azurite, startAzurite } from './support/azurite.js';
import { expectFaithful, SMALL } from './support/check.js';
import { startFaultyProxy } from './support/faulty-proxy.js';
import { runProgram, startProgram } from './support/program.js';
import { isRoot, makeTree, removeTree, someBytes } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-faults-'));
afterAll(() => removeTree(base));
let count = 0;
const place = (name: string) => join(base, `${name}-${count}`);

/** Runs a program as the user `nobody` when the tests run as root, else as who we are. */
function asOrdinaryUser(args: readonly string[]): { code: number; output: string } {
  const program = new URL('../bin/clfsload', import.meta.url).pathname;
  const [command, ...rest] = isRoot
    ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, program, ...args]
    : [process.execPath, program, ...args];
  try {
    return { code: 0, output: execFileSync(command, rest, { encoding: 'utf8', stdio: 'pipe' }) };
  } catch (error) {
    const { status, stdout, stderr } = error as { status: number; stdout: string; stderr: string };
    return { code: status, output: stdout + stderr };
  }
}

describe('a network that harms a tenth of the requests', () => {
  let azurite: Azurite;
  beforeAll(async () => {
    azurite = await startAzurite();
  });
  afterAll(() => azurite.stop());

  it('a load ends complete, with no orphan', async () => {
    const source = place('proxied');
    await makeTree(source, { bulk: 300, sizes: [0, 100, 16384, 16385, 100_000] });
    const url = await azurite.createContainer('proxied');
    const proxy = await startFaultyProxy(azurite.port, 0.1, 7);
    const run = await runProgram('clfsload', [
      'load',
      source,
      url.replace(`:${azurite.port}/`, `:${proxy.port}/`),
      `--state-path=${place('state')}`,
      '--preserve-hardlinks',
    ]);
    await proxy.close();
    expect(Object.keys(proxy.counts).length).toBeGreaterThanOrEqual(6);
    expect(run.stdout).toContain('Final Job Status: Completed\n');
    expect(run.stdout).toMatch(/INFO: \d+ requests were repeated/);
    const { place: where, query } = parseContainer(url);
    const container = await openContainer(
      where,
      { query, bearer: '' },
      { retryWindowMs: 5000, traffic: new Traffic(1) },
    );
    await expectFaithful(source, container);
    await container.close();
  });

  it('access that is withdrawn stops the job; a new SAS goes on with it', async () => {
    const source = place('withdrawn');
    await makeTree(source, { bulk: 200, sizes: [10] });
    const good = await azurite.createContainer('withdrawn');
    const state = place('state-withdrawn');
    const { child, done } = startProgram('clfsload', ['load', source, good, `--state-path=${state}`]);
    await new Promise<void>((resolve) =>
      child.stdout?.on('data', (text: string) => text.includes('Transfer') && resolve()),
    );
    child.kill('SIGTERM');
    const stopped = await done;
    expect(stopped.stdout).toContain('Final Job Status: Cancelled\n');
    expect(stopped.code).toBe(1);
    const refused = await runProgram('clfsload', [
      'load',
      source,
      azurite.sasUrl('withdrawn', { permissions: 'rl' }),
      `--state-path=${state}`,
      '--new-session=false',
    ]);
    expect(refused.stdout).toMatch(/refused access/);
    expect(refused.code).toBe(1);
    const resumed = await runProgram('clfsload', [
      'load',
      source,
      azurite.sasUrl('withdrawn'),
      `--state-path=${state}`,
      '--new-session=false',
    ]);
    expect(resumed.stdout).toContain('Final Job Status: Completed\n');
    const again = await runProgram('clfsload', [
      'load',
      source,
      azurite.sasUrl('withdrawn'),
      `--state-path=${state}`,
      '--new-session=false',
    ]);
    expect(again.stdout).toContain('finished already');
    expect(again.code).toBe(0);
  });
});

describe('a container that is taken away', () => {
  it('is noticed before the commit when it was emptied meanwhile', async () => {
    count++;
    const source = place('emptied');
    await makeTree(source, { bulk: 50, sizes: [10] });
    const container = new MemoryContainer();
    let emptied = false;
    const wrapSource = (tree: SourceTree): SourceTree => ({
      ...tree,
      openDirectory(path, expected) {
        if (path.length > 0 && !emptied) {
          emptied = true;
          container.blobs.clear();
        }
        return tree.openDirectory(path, expected);
      },
    });
    const summary = await load({
      source,
      destination: '/unused',
      statePath: place('state-emptied'),
      internals: { container, wrapSource },
    });
    expect(emptied).toBe(true);
    expect(summary.status).toBe('Failed');
    expect(summary.error).toMatchObject({ code: 'container-other' });
    expect([...container.blobs.keys()].some((name) => name.startsWith('00000064'))).toBe(false);
  });

  it('stops the job at once when it is deleted, and a second signal ends the program at once', async () => {
    const azurite = await startAzurite();
    try {
      const source = place('deleted');
      await makeTree(source, { bulk: 1500, sizes: [10] });
      const url = await azurite.createContainer('deleted');
      const args = ['load', source, url, `--state-path=${place('state-deleted')}`];
      const { child, done } = startProgram('clfsload', args);
      await new Promise<void>((resolve) =>
        child.stdout?.on('data', (text: string) => text.includes('Transfer') && resolve()),
      );
      await azurite.client('deleted').delete();
      const run = await done;
      expect(run.stdout).toMatch(/The job failed: The container .* does not exist/);
      expect(run.code).toBe(1);
      const again = startProgram('clfsload', [
        'load',
        source,
        await azurite.createContainer('signals'),
        `--state-path=${place('state-signals')}`,
      ]);
      await new Promise<void>((resolve) =>
        again.child.stdout?.on('data', (text: string) => text.includes('Transfer') && resolve()),
      );
      again.child.kill('SIGINT');
      again.child.kill('SIGINT');
      expect((await again.done).code).toBe(1);
    } finally {
      await azurite.stop();
    }
  });
});

describe('entries that an ordinary user may not read', () => {
  it('are counted, named, left out, and repaired later', async () => {
    count++;
    const work = place('ordinary');
    const source = join(work, 'source');
    for (const directory of ['good', 'closed', 'unsearchable', 'unlistable'])
      mkdirSync(join(source, directory), { recursive: true });
    for (const file of ['good/file', 'good/secret', 'closed/in', 'unsearchable/in', 'unlistable/in'])
      writeFileSync(join(source, file), file);
    if (isRoot) execFileSync('chown', ['-R', '65534:65534', work]);
    chmodSync(base, 0o755);
    chmodSync(join(source, 'good', 'secret'), 0o000);
    chmodSync(join(source, 'closed'), 0o000);
    chmodSync(join(source, 'unsearchable'), 0o644);
    chmodSync(join(source, 'unlistable'), 0o311);
    const destination = join(work, 'container');
    const state = join(work, 'state');
    const first = asOrdinaryUser(['load', source, destination, `--state-path=${state}`]);
    expect(first.output).toContain('Final Job Status: CompletedWithErrors\n');
    expect(first.output).toContain('Number of Transfers Failed: 4\n');
    expect(first.code).toBe(1);
    const failed = ['closed', 'good/secret', 'unlistable', 'unsearchable'];
    expect(readFileSync(join(state, 'problems.txt'), 'utf8').trim().split('\n').sort()).toEqual(
      failed.map((path) => join(source, path)),
    );
    const lines = readFileSync(join(state, 'failures.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.map((line) => String(line.reason)).sort()).toEqual([
      'directory-unreadable',
      'directory-unreadable',
      'directory-unreadable',
      'entry-unreadable',
    ]);
    expect(
      lines.every(
        (line) =>
          line.attempts === 1 &&
          typeof line.time === 'string' &&
          line.path_hex === Buffer.from(String(line.path)).toString('hex'),
      ),
    ).toBe(true);
    if (isRoot) {
      const container = await openLocalContainer(destination);
      await expectFaithful(source, container, undefined, failed);
      await container.close();
    }
    for (const [path, mode] of [
      ['good/secret', 0o600],
      ['closed', 0o755],
      ['unsearchable', 0o755],
    ] as const)
      chmodSync(join(source, path), mode);
    const second = asOrdinaryUser(['load', source, destination, `--state-path=${state}`, '--new-session=false']);
    expect(second.output).toContain('Final Job Status: CompletedWithErrors\n');
    expect(readFileSync(join(state, 'problems.txt'), 'utf8')).toBe(`${join(source, 'unlistable')}\n`);
    chmodSync(join(source, 'unlistable'), 0o755);
    const third = asOrdinaryUser(['load', source, destination, `--state-path=${state}`, '--new-session=false']);
    expect(third.output).toContain('Final Job Status: Completed\n');
    expect(third.code).toBe(0);
    const container = await openLocalContainer(destination);
    await expectFaithful(source, container);
    await container.close();
  });

  it('more of them than --max-errors stop the job, resumable', async () => {
    count++;
    const work = place('limit');
    const source = join(work, 'source');
    mkdirSync(source, { recursive: true });
    for (let i = 0; i < 10; i++) {
      writeFileSync(join(source, `f${i}`), 'x');
      chmodSync(join(source, `f${i}`), 0o000);
    }
    if (isRoot) execFileSync('chown', ['-R', '65534:65534', work]);
    chmodSync(base, 0o755);
    const args = ['load', source, join(work, 'container'), `--state-path=${join(work, 'state')}`];
    const stopped = asOrdinaryUser([...args, '--max-errors=3']);
    expect(stopped.output).toContain('Final Job Status: Failed\n');
    expect(stopped.code).toBe(1);
    expect(
      readFileSync(join(work, 'state', 'problems.txt'), 'utf8')
        .trim()
        .split('\n').length,
    ).toBe(10);
    const tolerated = asOrdinaryUser([...args, '--max-errors=10', '--new-session=false']);
    expect(tolerated.output).toContain('Final Job Status: CompletedWithErrors\n');
    for (let i = 0; i < 10; i++) chmodSync(join(source, `f${i}`), 0o644);
    expect(asOrdinaryUser([...args, '--max-errors=0', '--new-session=false']).output).toContain(
      'Final Job Status: Completed\n',
    );
  });
});

describe('a source that changes', () => {
  /** Does something just before the nth read of a file. */
  function disturbed(tree: SourceTree, name: string, times: number, change: () => void): SourceTree {
    let left = times;
    const wrapFile = (file: SourceFile): SourceFile => ({
      attributes: () => file.attributes(),
      isUnchanged: (before) => file.isUnchanged(before),
      read(target, position) {
        if (left > 0) {
          left--;
          change();
        }
        return file.read(target, position);
      },
      close: () => file.close(),
    });
    const wrapDirectory = (directory: SourceDirectory): SourceDirectory => ({
      attributes: () => directory.attributes(),
      list: () => directory.list(),
      attributesOf: (entry) => directory.attributesOf(entry),
      readLink: (entry) => directory.readLink(entry),
      openFile: (entry) =>
        entry.toString() === name ? wrapFile(directory.openFile(entry)) : directory.openFile(entry),
      close: () => directory.close(),
    });
    return { ...tree, openDirectory: (path, expected) => wrapDirectory(tree.openDirectory(path, expected)) };
  }

  async function run(
    times: number,
    size: number,
    change: (file: string, turn: number) => void,
    overrides: Partial<LoadOptions> = {},
  ) {
    count++;
    const source = place('changing');
    mkdirSync(source);
    const file = join(source, 'file');
    writeFileSync(file, someBytes(size, 1));
    writeFileSync(join(source, 'other'), 'o');
    const container = new MemoryContainer();
    let turn = 0;
    const options: LoadOptions = { source, destination: '/unused', statePath: place('state-changing'), ...overrides };
    const summary = await load({
      ...options,
      internals: {
        container,
        geometry: SMALL,
        wrapSource: (tree) => disturbed(tree, 'file', times, () => change(file, turn++)),
      },
    });
    return { source, container, summary, options, turns: () => turn };
  }
  const grow = (file: string, turn: number) => writeFileSync(file, someBytes(3000 + turn * 100, turn + 10));

  it.each([500, 3000, 30_000])('a file of %i bytes that changes once is read again, whole', async (size) => {
    const { source, container, summary, turns } = await run(1, size, grow);
    expect(turns()).toBe(1);
    expect(summary.status).toBe('Completed');
    await expectFaithful(source, container, SMALL);
  });

  it.each([500, 30_000])(
    'a file of %i bytes that never rests fails, leaves nothing, and is loaded when it does',
    async (size) => {
      const { source, container, summary, options } = await run(1000, size, (file, turn) =>
        writeFileSync(file, someBytes(size + (turn % 7) + 1, turn)),
      );
      expect(summary.status).toBe('CompletedWithErrors');
      await expectFaithful(source, container, SMALL, ['file']);
      const again = await load({ ...options, newSession: false, internals: { container, geometry: SMALL } });
      expect(again.status).toBe('Completed');
      await expectFaithful(source, container, SMALL);
    },
  );

  it('a file that becomes a symlink or vanishes is a failure, never followed', async () => {
    for (const turnInto of [(file: string) => symlinkSync('other', file), () => undefined]) {
      count++;
      const source = place('turning');
      mkdirSync(source);
      writeFileSync(join(source, 'file'), 'x');
      writeFileSync(join(source, 'other'), 'o');
      const container = new MemoryContainer();
      let changed = false;
      const wrapSource = (tree: SourceTree): SourceTree => ({
        ...tree,
        openDirectory(path, expected) {
          const directory = tree.openDirectory(path, expected);
          return {
            attributes: () => directory.attributes(),
            list: () => directory.list(),
            attributesOf: (entry) => directory.attributesOf(entry),
            readLink: (entry) => directory.readLink(entry),
            openFile(entry) {
              if (entry.toString() === 'file' && !changed) {
                changed = true;
                rmSync(join(source, 'file'));
                turnInto(join(source, 'file'));
              }
              return directory.openFile(entry);
            },
            close: () => directory.close(),
          };
        },
      });
      const summary = await load({
        source,
        destination: '/unused',
        statePath: place('state-turning'),
        internals: { container, wrapSource },
      });
      expect(changed).toBe(true);
      expect(summary.status).toBe('CompletedWithErrors');
      expect(summary.progress.filesFailed).toBe(1);
    }
  });
});
