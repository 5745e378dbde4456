import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MemoryContainer } from '../src/container/memory-container.js';
import { exportJob } from '../src/export/export-job.js';
import { exportStatus } from '../src/export/export-status.js';
import type { ExportProgress } from '../src/export/options.js';
import { resumedExport } from '../src/export/resumed-export.js';
import { SYSTEM_CALLS, type TargetCalls } from '../src/export/target/target-calls.js';
import { decodeSegment } from '../src/format/segment.js';
import { lastWorkersAt } from '../src/join/worker-status.js';
import { WORKERS_FILE } from '../src/join/workers-file.js';
import { PosixError } from '../src/posix/posix-error.js';
import { SMALL } from './support/check.js';
import { exportSmall } from './support/export-small.js';
import { complaints, loadWhole, runProgram, startProgram } from './support/program.js';
import { loadSmall, objectBody, objectNames } from './support/small-container.js';
import { isRoot, removeTree, someBytes } from './support/tree.js';
import { workerPresence } from './support/worker-presence.js';

const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'clfs-export-job-'));
afterAll(() => removeTree(base));
const source = join(base, 'source');
const container = join(base, 'container');

function export_(...args: string[]) {
  return runProgram('clfsload', ['export', ...args]);
}

describe('clfsload export', () => {
  beforeAll(async () => {
    mkdirSync(join(source, 'papers/old'), { recursive: true });
    for (const name of ['a.csv', 'b.txt', 'papers/c.csv', 'papers/d.tmp', 'papers/old/e.csv', 'README'])
      writeFileSync(join(source, name), `content of ${name}`);
    writeFileSync(join(source, 'large'), someBytes(30_000_000, 1));
    symlinkSync('README', join(source, 'link'));
    await loadWhole(source, container, join(base, 'load-state'));
  });

  it('works in threads, as many as are asked for, and in none', async () => {
    for (const threads of [0, 1, 3]) {
      const target = join(base, `threads-${threads}`);
      const run = await export_(container, target, `--threads=${threads}`);
      expect(complaints(run)).toEqual([]);
      expect(run.stdout).toBe('11 entries written (29M), 0 replaced, 0 there already, 0 failed\n');
      const verify = await runProgram('clfsload', ['verify', target, container, '--content']);
      expect(verify.stdout).toMatch(
        /^11 same, 0 different, 0 only in the source, 0 only in the container, 0 could not be checked/,
      );
    }
    expect(readdirSync(base).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('writes one file: under the name that is given, or into a directory that is there', async () => {
    const named = join(base, 'named.csv');
    expect((await export_(container, 'papers/c.csv', named)).stdout).toMatch(/^1 entry written/);
    expect(readFileSync(named, 'utf8')).toBe('content of papers/c.csv');
    const into = join(base, 'into');
    mkdirSync(into);
    for (const path of ['large', 'link', 'papers/d.tmp'])
      expect((await export_(container, path, into)).code, path).toBe(0);
    expect(readFileSync(join(into, 'large')).equals(readFileSync(join(source, 'large')))).toBe(true);
    expect(lstatSync(join(into, 'link')).isSymbolicLink()).toBe(true);
    expect(lstatSync(join(into, 'd.tmp')).mtimeMs).toBe(lstatSync(join(source, 'papers/d.tmp')).mtimeMs);
    expect(readdirSync(into).sort()).toEqual(['d.tmp', 'large', 'link']);
    expect((await export_(container, 'large', into)).stdout).toMatch(/^0 entries written .* 1 there already/);
    for (const dryRun of ['--dry-run=false', '--dry-run'])
      expect((await export_(container, 'README', join(base, 'not/there'), dryRun)).stderr).toMatch(
        /^Cannot write to ".*there": ".*not" is not an existing directory\.\n$/,
      );
    expect((await export_(container, 'README', `${join(base, 'nothing')}/`)).stderr).toMatch(
      /there is no such directory/,
    );
  });

  it('puts no file in the place of a pipe or a device, nor of a symlink to one', async () => {
    const pipe = join(base, 'pipe');
    spawnSync('mkfifo', [pipe]);
    const link = join(base, 'to-device');
    symlinkSync('/dev/null', link);
    for (const target of [pipe, link])
      for (const flag of ['--dry-run', '--overwrite=always', '--overwrite=if-different']) {
        const refused = await export_(container, 'README', target, flag);
        expect([refused.code, refused.stderr], `${target} ${flag}`).toEqual([
          2,
          expect.stringContaining('is a device, a pipe or a socket') as string,
        ]);
      }
    expect(lstatSync(pipe).isFIFO()).toBe(true);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
  });

  it('writes a tar of one file, by its name', async () => {
    const into = join(base, 'untarred');
    mkdirSync(into);
    for (const path of ['papers/c.csv', 'link']) {
      const tar = join(base, 'one.tar');
      expect((await export_(container, path, '--tar', tar)).code).toBe(0);
      expect(spawnSync('tar', ['xf', tar, '-C', into]).status, path).toBe(0);
    }
    expect(readFileSync(join(into, 'c.csv'), 'utf8')).toBe('content of papers/c.csv');
    expect(readdirSync(into).sort()).toEqual(['c.csv', 'link']);
  });

  it('writes what is chosen', async () => {
    const target = join(base, 'chosen');
    const run = await export_(
      container,
      target,
      '--include=*.csv;*.tmp',
      '--exclude-path=papers/old',
      '--exclude-pattern=*.tmp',
    );
    expect(run.stdout).toMatch(/^4 entries written .*\n6 entries were left out/);
    expect(readdirSync(target).sort()).toEqual(['a.csv', 'papers']);
    expect(readdirSync(join(target, 'papers'))).toEqual(['c.csv']);
    const part = join(base, 'chosen-part');
    await export_(container, 'papers', part, '--exclude-path=old');
    expect(readdirSync(part).sort()).toEqual(['c.csv', 'd.tmp']);
    expect((await export_(container, part, '--exclude-path=../x')).code).toBe(2);
  });

  it('tells with --dry-run what it would do, and touches nothing', async () => {
    const target = join(base, 'dry');
    const count = async () =>
      JSON.parse((await export_(container, target, '--dry-run', '--json')).stdout) as Record<string, unknown>;
    expect(await count()).toMatchObject({ written: 11, replaced: 0, left: 0, failed: 0, excluded: 0 });
    expect(existsSync(target)).toBe(false);
    await export_(container, target);
    writeFileSync(join(target, 'a.csv'), 'mine');
    rmSync(join(target, 'papers/c.csv'));
    expect(await count()).toMatchObject({
      written: 4,
      replaced: 1,
      left: 6,
      bytes: 'content of papers/c.csv'.length + 'content of a.csv'.length,
    });
    expect(readFileSync(join(target, 'a.csv'), 'utf8')).toBe('mine');
    const real = JSON.parse((await export_(container, target, '--json')).stdout) as Record<string, unknown>;
    expect(real).toMatchObject({ status: 'Completed', written: 4, replaced: 1, left: 6, failed: 0 });
  });

  it('keeps the state where it is told to, in the end too, and goes on with it only when asked', async () => {
    const target = join(base, 'stated');
    const state = join(base, 'stated-state');
    const args = [container, target, `--state-path=${state}`];
    expect((await export_(...args)).code).toBe(0);
    expect(existsSync(join(state, 'job.db'))).toBe(true);
    const again = await export_(...args);
    expect(again.code).toBe(2);
    expect(again.stderr).toMatch(/holds a job already\. Go on with it by --new-session=false/);
    const on = await export_(...args, '--new-session=false');
    expect(on.stdout).toMatch(/^11 entries written/);
    expect(on.code).toBe(0);
    expect((await export_(container, target, `--state-path=${join(target, 'state')}`)).stderr).toMatch(
      /is inside the target/,
    );
    expect((await export_(container, target, '--new-session=false')).stderr).toMatch(/needs a --state-path/);
  });

  it('writes nothing into the container, nor around it', async () => {
    const before = readdirSync(container).sort();
    const inside = join(container, 'below');
    for (const args of [
      [container, inside],
      [container, base],
      [container, 'README', container],
      [container, 'README', inside],
      [container, join(base, 'apart'), `--state-path=${inside}`],
      [container, inside, '--dry-run'],
      [container, base, '--dry-run'],
      [container, '--tar', inside],
      [container, '--tar', join(container, before[0])],
    ]) {
      const run = await export_(...args);
      expect(run.stderr, args.join(' ')).toMatch(/is inside the (container|target) .*Keep them apart\./);
      expect(run.code).toBe(2);
    }
    const [blob] = before;
    const verify = await runProgram('clfsload', ['verify', source, container, `--report=${join(container, blob)}`]);
    expect(verify.stderr).toMatch(/^The report .* is inside the container .*Keep them apart\.\n$/);
    expect(verify.code).toBe(2);
    expect(readdirSync(container).sort()).toEqual(before);
    expect(statSync(join(container, blob)).size).toBeGreaterThan(0);
    expect(existsSync(join(base, 'apart'))).toBe(false);
  });

  it('a tree goes to no file, and a dry run says so too', async () => {
    const file = join(base, 'plain-file');
    writeFileSync(file, 'content');
    for (const more of [[], ['--dry-run']]) {
      const run = await export_(container, file, ...more);
      expect(run.stderr).toBe(`Cannot write to ${JSON.stringify(file)}: it is not a directory.\n`);
      expect(run.code).toBe(2);
    }
    expect(readFileSync(file, 'utf8')).toBe('content');
  });

  it('takes no state of a load, and a load none of an export', async () => {
    const loadState = join(base, 'load-state');
    const taken = await export_(container, join(base, 'never'), `--state-path=${loadState}`, '--new-session=false');
    expect(taken.stderr).toMatch(/is that of a load, not of an export/);
    expect(taken.code).toBe(2);
    const exportState = join(base, 'own-state');
    await export_(container, join(base, 'own'), `--state-path=${exportState}`);
    const load = await runProgram('clfsload', [
      'load',
      source,
      join(base, 'container-2'),
      `--state-path=${exportState}`,
      '--new-session=false',
    ]);
    expect(load.stdout).toMatch(/is that of an export, not of a load\. Go on with it by "clfsload resume"/);
    expect(existsSync(join(base, 'never'))).toBe(false);
  });

  it('a tar cannot be gone on with, and says so', async () => {
    const run = await export_(container, '--tar', join(base, 'x.tar'), `--state-path=${join(base, 'tar-state')}`);
    expect(run.stderr).toMatch(/a tar cannot be gone on with/);
    expect((await export_(container, '--tar', join(base, 'x.tar'), '--dry-run')).stderr).toMatch(
      /--dry-run cannot be used with --tar/,
    );
    expect(existsSync(join(base, 'x.tar'))).toBe(false);
  });

  it.skipIf(!isRoot)(
    'goes on without root, with directories that nobody may enter (as root, to become somebody else)',
    async () => {
      const home = join(base, 'home');
      mkdirSync(home);
      chmodSync(base, 0o755);
      chmodSync(home, 0o777);
      const closed = join(base, 'closed-source');
      mkdirSync(join(closed, 'none/below'), { recursive: true });
      for (let f = 0; f < 40; f++) writeFileSync(join(closed, 'none/below', `f${f}`), `${f}`);
      chmodSync(join(closed, 'none/below'), 0o500);
      chmodSync(join(closed, 'none'), 0);
      const place = join(base, 'closed-container');
      expect(
        (
          await runProgram('clfsload', [
            'load',
            closed,
            place,
            `--state-path=${join(base, 'closed-state')}`,
            '--output-type=none',
          ])
        ).code,
      ).toBe(0);
      const blobs = readdirSync(place);
      const inodes = blobs.filter((name) => /\.0001\./.test(name));
      // An inode that is not there at first: the directories have their modes when it is tried again.
      const lost = inodes[3];
      const bytes = readFileSync(join(place, lost));
      rmSync(join(place, lost));
      const target = join(home, 'target');
      const asNobody = () =>
        spawnSync(
          'setpriv',
          [
            '--reuid=65534',
            '--regid=65534',
            '--clear-groups',
            process.execPath,
            new URL('../bin/clfsload', import.meta.url).pathname,
            'export',
            place,
            target,
          ],
          { encoding: 'utf8' },
        );
      const first = asNobody();
      expect(first.stdout).toMatch(/ 1 failed\n/);
      expect(first.status).toBe(1);
      expect(statSync(join(target, 'none')).mode & 0o7777).toBe(0);
      writeFileSync(join(place, lost), bytes);
      const second = asNobody();
      expect(second.stderr).toMatch(/The container has changed since the export began/);
      expect(second.stdout).toMatch(/ 0 failed\n$/);
      expect(second.status).toBe(0);
      expect(statSync(join(target, 'none')).mode & 0o7777).toBe(0);
      expect(statSync(join(target, 'none/below')).mode & 0o7777).toBe(0o500);
      expect(statSync(join(target, 'none')).mtimeMs).toBe(statSync(join(closed, 'none')).mtimeMs);
      expect(readdirSync(join(target, 'none/below')).length).toBe(40);
    },
  );

  it.skipIf(!isRoot)(
    'asks for a state path where none can be beside the target (as root, to become somebody else)',
    () => {
      const target = join(base, 'parent', 'target');
      mkdirSync(target, { recursive: true });
      chmodSync(target, 0o777);
      const bin = new URL('../bin/clfsload', import.meta.url).pathname;
      const run = spawnSync(
        'setpriv',
        ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, bin, 'export', container, target],
        {
          encoding: 'utf8',
        },
      );
      expect(run.stderr).toMatch(
        /The state of an export is kept beside its target: name another place by --state-path\./,
      );
      expect(run.status).toBe(2);
      expect(readdirSync(target)).toEqual([]);
    },
  );

  it('stops at a signal within 5 s, and goes on', async () => {
    const target = join(base, 'signalled');
    const { child, done } = startProgram('clfsload', ['export', container, target]);
    while (!existsSync(target) && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 2));
    const asked = performance.now();
    child.kill('SIGTERM');
    const { code, stdout } = await done;
    expect(performance.now() - asked).toBeLessThan(20_000);
    if (code === 130) {
      // The command works as it stands.
      const command = /\nTo go on: clfsload resume "?([^"\n]+)"?\n/.exec(stdout)?.[1] ?? '';
      const resumed = await runProgram('clfsload', ['resume', command]);
      expect(resumed.code, resumed.stderr).toBe(0);
      expect(existsSync(command)).toBe(false);
    } else expect(code).toBe(0);
    expect((await export_(container, target)).code).toBe(0);
  });

  it('goes on by its state alone, as it was begun', async () => {
    const target = join(base, 'by-state');
    const statePath = join(base, 'by-state-state');
    const begun = await export_(
      container,
      target,
      `--state-path=${statePath}`,
      '--exclude-pattern=x*',
      '--max-errors=0',
    );
    expect(begun.code).toBe(0);
    const again = await runProgram('clfsload', ['resume', statePath, '--threads=0', '--output-type=json']);
    expect(again.code, again.stderr).toBe(0);
    expect(JSON.parse(again.stdout)).toMatchObject({ status: 'Completed', state_path: statePath, failed: 0 });
    for (const [args, message] of [
      [[statePath, join(base, 'elsewhere')], /elsewhere/],
      [[statePath, '--concurrency-count=3'], /--concurrency-count cannot be used with an export/],
      [[statePath, '--cap-mbps=3'], /a container on disk has none/],
    ] as const) {
      const refused = await runProgram('clfsload', ['resume', ...args]);
      expect(refused.code).not.toBe(0);
      expect(refused.stderr).toMatch(message);
    }
    // As an export tells it, and not a load.
    for (const wrong of ['env:NO_SUCH_VARIABLE', '--estimate=false']) {
      const refused = await runProgram('clfsload', ['resume', statePath, wrong, '--output-type=json']);
      expect(refused.code, wrong).toBe(2);
      expect(JSON.parse(refused.stdout)).toMatchObject({ error: { code: 'usage' } });
    }
  });
});

function refuse(): never {
  throw new PosixError('link', 1);
}

describe('an export as a job', () => {
  let memory: MemoryContainer;
  const tree = join(base, 'tree');
  beforeAll(async () => {
    mkdirSync(join(tree, 'd'), { recursive: true });
    for (let f = 0; f < 20; f++) writeFileSync(join(tree, 'd', `f${f}`), someBytes(3000, f));
    writeFileSync(join(tree, 'large'), someBytes(30_000, 77));
    memory = await loadSmall(tree, base);
  });

  /** Without the data of some files. */
  async function damaged(): Promise<MemoryContainer> {
    const store = await loadSmall(tree, base);
    const segments = objectNames(store, 8).filter((name) => decodeSegment(objectBody(store, name)).kind === 'file');
    for (const name of segments.slice(0, 3)) store.blobs.delete(name);
    return store;
  }

  it('goes on after failures, names them, and tries them again', async () => {
    const target = join(base, 'failures');
    const statePath = join(base, 'failures-state');
    const first = await exportSmall(await damaged(), base, target, { statePath });
    expect(first.status).toBe('CompletedWithErrors');
    expect(first.failed).toBeGreaterThan(0);
    const problems = readFileSync(join(statePath, 'problems.txt'), 'utf8').trim().split('\n');
    expect(problems.sort()).toEqual(first.failures.map((path) => join(target, path)));
    const lines = readFileSync(join(statePath, 'failures.jsonl'), 'utf8').trim().split('\n');
    expect(JSON.parse(lines[0])).toMatchObject({ reason: 'object-missing', attempts: 1 });
  });

  it('says that nothing is left to do of one that is finished, and when its state stays', async () => {
    const few = join(base, 'few');
    mkdirSync(few);
    writeFileSync(join(few, 'a'), 'a');
    const store = await loadSmall(few, base);
    const told: string[] = [];
    const onMessage = (text: string) => void told.push(text);
    const statePath = join(base, 'few-state');
    const target = join(base, 'few-target');
    await exportSmall(store, base, target, { statePath, onMessage });
    expect(told).toEqual([]);
    expect(await exportSmall(store, base, target, { statePath, newSession: false, onMessage })).toMatchObject({
      status: 'Completed',
      written: 2,
    });
    expect(told[1]).toMatch(/^This export is finished already: everything has been written\. /);
    told.length = 0;
    const onStart = (_look: unknown, path: string) => writeFileSync(join(path, 'of somebody else'), '');
    await exportSmall(store, base, target, { statePath: undefined, onMessage, onStart });
    expect(told).toEqual([
      expect.stringMatching(/^The state of the export in ".*few-target\.clfsload-export" could not/),
    ]);
  });

  it('tells of no workers that a session had which was killed', async () => {
    const target = join(base, 'former-workers');
    const statePath = join(base, 'former-workers-state');
    const store = await damaged();
    await exportSmall(store, base, target, { statePath });
    writeFileSync(join(statePath, WORKERS_FILE), JSON.stringify([workerPresence('gone/1')]));
    expect(lastWorkersAt(statePath)).toHaveLength(1);
    const told: unknown[] = [];
    const onStart = () => told.push(exportStatus(statePath));
    await exportSmall(store, base, target, { statePath, newSession: false, onStart });
    expect(told).toMatchObject([{ state: 'running', workers: undefined }]);
  });

  it('reads a directory on from where it could not be read, and writes what is in it once', async () => {
    const wide = join(base, 'wide');
    mkdirSync(join(wide, 'below'), { recursive: true });
    for (let f = 0; f < 60; f++) writeFileSync(join(wide, 'below', `entry ${f} ${'y'.repeat(20)}`), `${f}`);
    const store = await loadSmall(wide, base);
    const pieces = objectNames(store, 8).filter((name) => decodeSegment(objectBody(store, name)).kind === 'directory');
    expect(pieces.length).toBeGreaterThan(3);
    const target = join(base, 'wide-target');
    const statePath = join(base, 'wide-state');
    const lost = pieces.slice(0, 2).map((name) => [name, store.blobs.get(name) as Buffer] as const);
    for (const [name] of lost) store.blobs.delete(name);
    const first = await exportSmall(store, base, target, { statePath });
    expect(first).toMatchObject({ status: 'CompletedWithErrors', failed: 1, failures: ['below'], left: 0 });
    expect(first.written).toBeGreaterThan(2);
    for (const [name, blob] of lost) store.blobs.set(name, blob);
    const second = await exportSmall(store, base, target, { statePath, newSession: false });
    expect(second).toMatchObject({ status: 'Completed', written: 62, replaced: 0, left: 0, failed: 0 });
    expect(readdirSync(join(target, 'below')).length).toBe(60);
  });

  const FILE_SYSTEMS: readonly (readonly [string, Partial<TargetCalls>])[] = [
    ['that rename without replacing', {}],
    ['that only link', { renameNew: () => false }],
    ['that do neither', { renameNew: () => false, makeLink: refuse }],
  ];
  it.each(FILE_SYSTEMS)('leaves what is there with --overwrite=never, on file systems %s', async (how, calls) => {
    const target = join(base, `never ${how}`);
    mkdirSync(join(target, 'd'), { recursive: true });
    for (const name of ['large', 'd/f3']) writeFileSync(join(target, name), 'mine');
    let hidden = 0;
    // Somebody makes it while this job writes it.
    const openAt: typeof SYSTEM_CALLS.openAt = (at, name, flags, mode) => {
      if (hidden === 0 && Buffer.from(name).toString().startsWith('.clfsload-')) {
        hidden++;
        for (let f = 0; f < 20; f++)
          if (!existsSync(join(target, 'd', `f${f}`))) writeFileSync(join(target, 'd', `f${f}`), 'mine too');
      }
      return SYSTEM_CALLS.openAt(at, name, flags, mode);
    };
    const summary = await exportSmall(memory, base, target, {
      overwrite: 'never',
      internals: { calls: { ...SYSTEM_CALLS, openAt, ...calls } },
    });
    expect(hidden).toBe(1);
    expect(summary).toMatchObject({ status: 'Completed', written: 2, replaced: 0, left: 21 });
    expect(readFileSync(join(target, 'large'), 'utf8')).toBe('mine');
    expect(readFileSync(join(target, 'd/f7'), 'utf8')).toBe('mine too');
    expect(readdirSync(join(target, 'd')).length).toBe(20);
    const other = join(base, `new ${how}`);
    expect(
      await exportSmall(memory, base, other, {
        overwrite: 'never',
        internals: { calls: { ...SYSTEM_CALLS, ...calls } },
      }),
    ).toMatchObject({ written: 23 });
    expect(readFileSync(join(other, 'd/f7')).equals(someBytes(3000, 7))).toBe(true);
    expect(readdirSync(other).sort()).toEqual(['d', 'large']);
  });

  it('ends when more fail than are tolerated', async () => {
    const target = join(base, 'too-many');
    const { status, error } = await exportSmall(await damaged(), base, target, { maxErrors: 0 });
    expect(status).toBe('Failed');
    expect((error as Error).message).toMatch(/more than --max-errors=0 allows/);
  });

  it('begins anew where the state of one that is over was left beside the target', async () => {
    const target = join(base, 'over');
    const statePath = join(base, '.over.clfsload-export');
    const options = { container: '/unused', target, internals: { container: memory, geometry: SMALL } };
    expect((await exportJob({ ...options, statePath })).status).toBe('Completed');
    rmSync(join(target, 'd'), { recursive: true });
    // By whatever path it is named.
    symlinkSync(base, join(base, 'over-link'));
    const resumed = await resumedExport(join(base, 'over-link/.over.clfsload-export'));
    expect([resumed.statePath, resumed.newSession]).toEqual([undefined, false]);
    expect((await exportJob(options)).status).toBe('Completed');
    expect(existsSync(join(target, 'd'))).toBe(true);
    expect(existsSync(statePath)).toBe(false);
  });

  it('is refused with another container, target or setting than it was begun with', async () => {
    const target = join(base, 'same');
    const statePath = join(base, 'same-state');
    const begin = { container: '/unused', target, statePath };
    const internals = { container: memory, geometry: (await import('./support/check.js')).SMALL };
    const controller = new AbortController();
    const calls = {
      ...SYSTEM_CALLS,
      write: (...how: Parameters<typeof SYSTEM_CALLS.write>) => {
        controller.abort();
        SYSTEM_CALLS.write(...how);
      },
    };
    const stopped = await exportJob({ ...begin, signal: controller.signal, internals: { ...internals, calls } });
    expect(stopped.status).toBe('Cancelled');
    const on = { ...begin, newSession: false, internals };
    await expect(exportJob({ ...on, overwrite: 'never' })).rejects.toThrow(
      /was begun with --overwrite if-different, not never/,
    );
    await expect(exportJob({ ...on, sparse: true })).rejects.toThrow(/--sparse false, not true/);
    await expect(exportJob({ ...on, target: join(base, 'other') })).rejects.toThrow(/was begun with the target/);
    await expect(exportJob({ ...on, path: Buffer.from('d') })).rejects.toThrow(/was begun with the path/);
    const other = await loadSmall(tree, base);
    await expect(exportJob({ ...on, internals: { ...internals, container: other } })).rejects.toThrow(
      /is not what it was when the export began/,
    );
    expect(existsSync(join(base, 'other'))).toBe(false);
    const { status } = await exportJob(on);
    expect(status).toBe('Completed');
    rmSync(target, { recursive: true });
    mkdirSync(join(base, 'in-between'));
    mkdirSync(target);
    await expect(exportJob(on)).rejects.toThrow(/is not the one that the export began to write/);
  });

  it('tells where it stands: so many of so many', async () => {
    let snapshot: (() => ExportProgress) | undefined;
    const target = join(base, 'progress');
    await exportSmall(memory, base, target, { onStart: (look) => (snapshot = look) });
    expect(snapshot?.()).toMatchObject({
      written: 23,
      failed: 0,
      total: 23,
      sessionEntries: 23,
      retries: 0,
      waitingSinceMs: 0,
      bytes: 20 * 3000 + 30_000,
    });
    const part = join(base, 'progress-part');
    await exportSmall(memory, base, part, { path: Buffer.from('d'), onStart: (look) => (snapshot = look) });
    expect(snapshot?.()).toMatchObject({ written: 21, total: undefined });
  });

  it('a large file whose temporary file is changed by hand is written anew', async () => {
    const target = join(base, 'hand');
    let changed = 0;
    const write: typeof SYSTEM_CALLS.write = (fd, bytes, position) => {
      SYSTEM_CALLS.write(fd, bytes, position);
      if (position < 10_000 || changed > 0) return;
      const name = readdirSync(target).find((each) => /^\.clfsload-.*-f\d+$/.test(each));
      if (name === undefined) return;
      changed++;
      rmSync(join(target, name));
      writeFileSync(join(target, name), 'of somebody else');
    };
    const { status, bytes } = await exportSmall(memory, base, target, {
      internals: { calls: { ...SYSTEM_CALLS, write } },
    });
    expect(changed).toBe(1);
    expect(status).toBe('Completed');
    expect(readFileSync(join(target, 'large')).equals(readFileSync(join(tree, 'large')))).toBe(true);
    expect(readdirSync(target).sort()).toEqual(['d', 'large']);
    expect(bytes).toBe(20 * 3000 + 30_000);
  });
});
