import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { MemoryContainer } from '../src/container/memory-container.js';
import { SYSTEM_CALLS, type TargetCalls } from '../src/export/target/target-calls.js';
import { CURRENT_DIRECTORY, makeNode } from '../src/posix/libc.js';
import { openDatabase } from '../src/sqlite/database.js';
import { exportSmall } from './support/export-small.js';
import { openFiles } from './support/open-files.js';
import { loadWhole } from './support/program.js';
import { loadSmall } from './support/small-container.js';
import { isRoot, removeTree, someBytes } from './support/tree.js';

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

describe('the target of an export that is gone on with', () => {
  const source = join(base, 'plain');
  let store: MemoryContainer;
  beforeAll(async () => {
    mkdirSync(join(source, 'd'), { recursive: true });
    writeFileSync(join(source, 'd/f'), 'content');
    store = await loadSmall(source, base);
  });

  /** Exports, puts an empty directory in place of the target, and has the record say its number. */
  async function madeAnew(name: string, forget: string): Promise<() => Promise<unknown>> {
    const target = join(base, name);
    const statePath = join(base, `${name}-state`);
    expect(await exportSmall(store, base, target, { statePath })).toMatchObject({ status: 'Completed', written: 3 });
    renameSync(target, `${target}-former`);
    mkdirSync(target);
    const db = openDatabase(join(statePath, 'job.db'));
    const { record } = db.prepare('SELECT record FROM job').get() as { record: string };
    const changed = { ...JSON.parse(record), targetInode: String(statSync(target).ino) };
    delete changed[forget];
    db.prepare('UPDATE job SET record = ?').run(JSON.stringify(changed));
    db.close();
    return () => exportSmall(store, base, target, { statePath, newSession: false });
  }

  it('is not one that was made anew and has its number', async () => {
    await expect((await madeAnew('anew', ''))()).rejects.toThrow(/is not the one that the export began to write/);
  });

  it('is not empty, where no more than its number is known', async () => {
    const resume = await madeAnew('unknown', 'targetPlace');
    await expect(resume()).rejects.toThrow(/is not the one that the export began to write/);
    writeFileSync(join(base, 'unknown/something'), '');
    expect(await resume()).toMatchObject({ status: 'Completed' });
  });

  it.skipIf(!isRoot)('is not touched when it is another one (as root, to become somebody else)', async () => {
    const home = join(base, 'home');
    const container = join(base, 'container');
    mkdirSync(home);
    for (const path of [base, home]) chmodSync(path, 0o777);
    await loadWhole(source, container, join(base, 'load-state'));
    const target = join(home, 'target');
    const args = [container, target, `--state-path=${join(home, 'state')}`];
    expect(exportAsNobody(...args).status).toBe(0);
    renameSync(target, `${target}-former`);
    mkdirSync(target);
    chownSync(target, 65534, 65534);
    chmodSync(target, 0);
    const again = exportAsNobody(...args, '--new-session=false');
    expect(again.stderr).toMatch(/is not the one that the export began to write/);
    expect(statSync(target).mode & 0o7777).toBe(0);
  });
});

describe('directories of an export that is gone on with', () => {
  it('are made again when they are empty, and lost before they had their attributes', async () => {
    const source = join(base, 'empty');
    for (const path of ['one', 'two/below', 'full']) mkdirSync(join(source, path), { recursive: true });
    writeFileSync(join(source, 'full/f'), 'content');
    const store = await loadSmall(source, base);
    const target = join(base, 'empty-target');
    const statePath = join(base, 'empty-state');
    const refuseDirectory: TargetCalls['setTimesFd'] = (fd, ...times) => {
      if (SYSTEM_CALLS.statFd(fd).linkCount > 1) throw new Error('the process died');
      SYSTEM_CALLS.setTimesFd(fd, ...times);
    };
    const calls = { ...SYSTEM_CALLS, setTimesFd: refuseDirectory };
    const first = await exportSmall(store, base, target, { statePath, internals: { calls } });
    expect(first).toMatchObject({ status: 'Failed', written: 1, failed: 0 });
    for (const path of ['one', 'two']) rmSync(join(target, path), { recursive: true });
    const second = await exportSmall(store, base, target, { statePath, newSession: false });
    expect(second).toMatchObject({ status: 'Completed', written: 6, failed: 0 });
    for (const path of ['one', 'two', 'two/below', 'full'])
      expect(statSync(join(target, path)).mtimeMs, path).toBe(statSync(join(source, path)).mtimeMs);
  });

  it.skipIf(!isRoot)(
    'keep their modes when others are linked to what is in them (as root, to become somebody else)',
    async () => {
      const home = mkdtempSync(join(base, 'home-'));
      for (const path of [base, home]) chmodSync(path, 0o777);
      const source = join(base, 'linked');
      for (const path of ['a', 'b']) mkdirSync(join(source, path), { recursive: true });
      writeFileSync(join(source, 'a/first'), 'content');
      linkSync(join(source, 'a/first'), join(source, 'b/second'));
      chmodSync(join(source, 'a'), 0o500);
      chmodSync(source, 0);
      const container = join(base, 'linked-container');
      await loadWhole(source, container, join(base, 'linked-state'), '--preserve-hardlinks');
      const target = join(home, 'target');
      mkdirSync(join(target, 'b/second'), { recursive: true });
      for (const path of ['', 'b', 'b/second']) chownSync(join(target, path), 65534, 65534);
      const args = [container, target, `--state-path=${join(home, 'state')}`];
      expect(exportAsNobody(...args).stdout).toMatch(/ 1 failed\n/);
      const modes = () => ['.', 'a'].map((path) => statSync(join(target, path)).mode & 0o7777);
      expect(modes()).toEqual([0, 0o500]);
      rmSync(join(target, 'b/second'), { recursive: true });
      expect(exportAsNobody(...args, '--new-session=false').stdout).toMatch(/ 0 failed\n/);
      expect(statSync(join(target, 'b/second')).ino).toBe(statSync(join(target, 'a/first')).ino);
      expect(modes()).toEqual([0, 0o500]);
      expect(exportAsNobody(...args, '--new-session=false').status).toBe(0);
      expect(modes()).toEqual([0, 0o500]);
    },
  );
});

it('an export of a container whose listing is on disk is the same, and leaves no file open', async () => {
  const source = join(base, 'listed');
  for (let d = 0; d < 5; d++) {
    mkdirSync(join(source, `d${d}`), { recursive: true });
    for (let f = 0; f < 9; f++) writeFileSync(join(source, `d${d}/f${f}`), someBytes(700 * f, f));
  }
  const store = await loadSmall(source, base);
  const temporary = mkdtempSync(join(base, 'temporary-'));
  vi.stubEnv('TMPDIR', temporary);
  let open: readonly number[] = [];
  const calls: TargetCalls = {
    ...SYSTEM_CALLS,
    makeDirectory(...how) {
      open = openFiles(temporary);
      SYSTEM_CALLS.makeDirectory(...how);
    },
  };
  const target = join(base, 'listed-target');
  expect(await exportSmall(store, base, target, { internals: { memoryObjects: 7, calls } })).toMatchObject({
    status: 'Completed',
    written: 51,
  });
  vi.unstubAllEnvs();
  expect(open.length).toBeGreaterThan(0);
  expect(openFiles(temporary)).toEqual([]);
  expect(readFileSync(join(target, 'd3/f8')).equals(someBytes(5600, 8))).toBe(true);
});

function exportAsNobody(...args: string[]) {
  const bin = new URL('../bin/clfsload', import.meta.url).pathname;
  const become = ['--reuid=65534', '--regid=65534', '--clear-groups'];
  return spawnSync('setpriv', [...become, process.execPath, bin, 'export', ...args], { encoding: 'utf8' });
}
