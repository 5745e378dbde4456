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
import { ALL } from '../src/export/choice.js';
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
const BIN = new URL('../bin/clfsload', import.meta.url).pathname;

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
    const first = exportAsNobody(...args);
    expect(first.status).toBe(0);
    expect(first.stderr.match(/Owners and set-id bits were not given/g)).toHaveLength(1);
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
  it('are made again when nothing in them is done, and lost before they had their attributes', async () => {
    const source = join(base, 'empty');
    for (const path of ['one', 'two/below', 'full', 'three']) mkdirSync(join(source, path), { recursive: true });
    for (const path of ['full/f', 'three/not-chosen']) writeFileSync(join(source, path), 'content');
    const store = await loadSmall(source, base);
    const target = join(base, 'empty-target');
    const statePath = join(base, 'empty-state');
    const refuseDirectory: TargetCalls['setTimesFd'] = (fd, ...times) => {
      if (SYSTEM_CALLS.statFd(fd).linkCount > 1) throw new Error('the process died');
      SYSTEM_CALLS.setTimesFd(fd, ...times);
    };
    const calls = { ...SYSTEM_CALLS, setTimesFd: refuseDirectory };
    const choice = { ...ALL, excludePatterns: ['not-chosen'] };
    const first = await exportSmall(store, base, target, { statePath, choice, internals: { calls } });
    expect(first).toMatchObject({ status: 'Failed', written: 1, failed: 0 });
    for (const path of ['one', 'two', 'three']) rmSync(join(target, path), { recursive: true });
    const second = await exportSmall(store, base, target, { statePath, choice, newSession: false });
    expect(second).toMatchObject({ status: 'Completed', written: 7, failed: 0 });
    for (const path of ['one', 'two', 'two/below', 'full', 'three'])
      expect(statSync(join(target, path)).mtimeMs, path).toBe(statSync(join(source, path)).mtimeMs);
  });

  /** An export that dies when everything but the attributes of its directories is done. */
  async function diedBeforeAttributes(name: string) {
    const source = join(base, name);
    mkdirSync(join(source, 'd/sub'), { recursive: true });
    writeFileSync(join(source, 'd/f'), 'content');
    const store = await loadSmall(source, base);
    const target = join(base, `${name}-target`);
    const statePath = join(base, `${name}-state`);
    const setTimesFd = () => {
      throw new Error('the process died');
    };
    const first = await exportSmall(store, base, target, {
      statePath,
      internals: { calls: { ...SYSTEM_CALLS, setTimesFd } },
    });
    expect(first).toMatchObject({ status: 'Failed', written: 1 });
    const goOn = () => exportSmall(store, base, target, { statePath, newSession: false });
    return { target, goOn };
  }

  it('are not made again when something in them is done: a symlink in place of one stays, and what was moved is put back', async () => {
    const { target, goOn } = await diedBeforeAttributes('moved');
    const elsewhere = join(base, 'elsewhere');
    renameSync(join(target, 'd'), elsewhere);
    symlinkSync(elsewhere, join(target, 'd'));
    for (let session = 0; session < 2; session++) {
      const { status, error } = await goOn();
      expect(status).toBe('Failed');
      expect(String(error)).toMatch(/The directory "d" of the target, .* is not there any more: .*Put it back/);
      expect(lstatSync(join(target, 'd')).isSymbolicLink()).toBe(true);
    }
    unlinkSync(join(target, 'd'));
    renameSync(elsewhere, join(target, 'd'));
    expect(await goOn()).toMatchObject({ status: 'Completed', written: 4, failed: 0 });
    expect(readFileSync(join(target, 'd/f'), 'utf8')).toBe('content');
  });

  it('are missed in each session when they were removed with what is done in them', async () => {
    const { target, goOn } = await diedBeforeAttributes('removed');
    rmSync(join(target, 'd'), { recursive: true });
    for (let session = 0; session < 2; session++) {
      const { status, error } = await goOn();
      expect(status).toBe('Failed');
      expect(String(error)).toMatch(/The directory "d" of the target/);
    }
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
      // What was written so far has neither owners nor set-id bits.
      const asRoot = spawnSync(process.execPath, [BIN, 'export', ...args, '--new-session=false'], { encoding: 'utf8' });
      expect(asRoot.stderr).toMatch(/was begun with the rights of somebody who is not root, not root\./);
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
  const become = ['--reuid=65534', '--regid=65534', '--clear-groups'];
  return spawnSync('setpriv', [...become, process.execPath, BIN, 'export', ...args], { encoding: 'utf8' });
}
