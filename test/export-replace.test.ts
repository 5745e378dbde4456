import { linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryContainer } from '../src/container/memory-container.js';
import { SYSTEM_CALLS, type TargetCalls } from '../src/export/target/target-calls.js';
import { PosixError } from '../src/posix/posix-error.js';
import { exportSmall } from './support/export-small.js';
import { loadSmall, objectNames } from './support/small-container.js';
import { removeTree, someBytes } from './support/tree.js';

const EIO = 5;
const ENOSPC = 28;
const base = mkdtempSync(join(tmpdir(), 'clfs-export-replace-'));
afterAll(() => removeTree(base));
const NAMES = ['alone', 'one', 'two'];

describe('what an export replaces', () => {
  let store: MemoryContainer;
  beforeAll(async () => {
    const source = join(base, 'source');
    mkdirSync(source);
    writeFileSync(join(source, 'alone'), someBytes(3000, 1));
    writeFileSync(join(source, 'one'), someBytes(3000, 2));
    linkSync(join(source, 'one'), join(source, 'two'));
    store = await loadSmall(source, base);
  });

  function furnished(): string {
    const target = mkdtempSync(join(base, 'target-'));
    for (const name of NAMES) writeFileSync(join(target, name), `of before: ${name}`);
    return target;
  }

  function expectAsBefore(target: string): void {
    for (const name of NAMES) expect(readFileSync(join(target, name), 'utf8'), name).toBe(`of before: ${name}`);
    expect(readdirSync(target).sort()).toEqual(NAMES);
  }

  it('stays when the container lacks the data', async () => {
    const damaged = new MemoryContainer();
    for (const [name, blob] of store.blobs) damaged.blobs.set(name, blob);
    for (const name of objectNames(damaged, 8)) damaged.blobs.delete(name);
    const target = furnished();
    const summary = await exportSmall(damaged, base, target, { overwrite: 'always' });
    expect(summary).toMatchObject({ status: 'CompletedWithErrors', failures: NAMES });
    expectAsBefore(target);
  });

  it('stays when the disk is full', async () => {
    const write = () => {
      throw new PosixError('write', ENOSPC);
    };
    const target = furnished();
    const summary = await exportSmall(store, base, target, { internals: { calls: { ...SYSTEM_CALLS, write } } });
    expect(summary).toMatchObject({ status: 'Failed', error: { code: 'target' } });
    expectAsBefore(target);
  });

  it('stays when a link or a new name is refused', async () => {
    const refuse = () => {
      throw new PosixError('rename', EIO);
    };
    for (const call of ['makeLink', 'renameAt'] as const) {
      const target = furnished();
      const summary = await exportSmall(store, base, target, {
        internals: { calls: { ...SYSTEM_CALLS, [call]: refuse } },
      });
      const refused = call === 'makeLink' ? ['one', 'two'] : NAMES;
      expect(summary).toMatchObject({ status: 'CompletedWithErrors', failures: refused });
      for (const name of refused) expect(readFileSync(join(target, name), 'utf8'), name).toBe(`of before: ${name}`);
      expect(readdirSync(target).sort()).toEqual(NAMES);
    }
  });

  it('is replaced by an export that goes on, and no temporary file is left, also where it was taken away', async () => {
    const target = furnished();
    const statePath = join(base, 'state');
    let dead = 0;
    const renameAt: TargetCalls['renameAt'] = () => {
      dead++;
      throw new Error('the process died');
    };
    const removeAt: TargetCalls['removeAt'] = (...how) => {
      if (dead > 0) throw new Error('the process died');
      SYSTEM_CALLS.removeAt(...how);
    };
    const calls = { ...SYSTEM_CALLS, renameAt, removeAt };
    expect(await exportSmall(store, base, target, { statePath, internals: { calls } })).toMatchObject({
      status: 'Failed',
    });
    expect(dead).toBe(1);
    expect(readdirSync(target)).toHaveLength(4);
    rmSync(join(target, 'alone'));
    const summary = await exportSmall(store, base, target, { statePath, newSession: false });
    expect(summary).toMatchObject({ status: 'Completed', written: 2, replaced: 2 });
    expect(readdirSync(target).sort()).toEqual(NAMES);
    expect(statSync(join(target, 'one')).ino).toBe(statSync(join(target, 'two')).ino);
    for (const [index, name] of NAMES.entries())
      expect(readFileSync(join(target, name)).equals(someBytes(3000, Math.min(2, index + 1))), name).toBe(true);
  });

  it('is no directory, which is found before a large file is written', async () => {
    const source = mkdtempSync(join(base, 'large-'));
    writeFileSync(join(source, 'large'), someBytes(30_000, 1));
    const container = await loadSmall(source, base);
    const target = mkdtempSync(join(base, 'target-'));
    mkdirSync(join(target, 'large'));
    const summary = await exportSmall(container, base, target, { overwrite: 'always' });
    expect(summary).toMatchObject({ status: 'CompletedWithErrors', failures: ['large'], bytes: 0 });
    expect(readdirSync(target)).toEqual(['large']);
  });

  it('is no directory', async () => {
    const target = mkdtempSync(join(base, 'target-'));
    for (const name of NAMES) mkdirSync(join(target, name));
    const summary = await exportSmall(store, base, target, { overwrite: 'always' });
    expect(summary).toMatchObject({ status: 'CompletedWithErrors', failures: NAMES });
    expect(readdirSync(target).sort()).toEqual(NAMES);
  });
});
