import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MemoryContainer } from '../src/container/memory-container.js';
import { exportTar } from '../src/export/export-tar.js';
import { SYSTEM_CALLS, type TargetCalls } from '../src/export/target/target-calls.js';
import type { Attributes } from '../src/format/attributes.js';
import { ROOT_ID } from '../src/format/ids.js';
import { Open } from '../src/posix/libc.js';
import { PosixError } from '../src/posix/posix-error.js';
import { blobNamed, editNamed, makeAudited } from './support/audited.js';
import { exportSmall } from './support/export-small.js';
import { copyOf, loadSmall, readSmall } from './support/small-container.js';
import { removeTree } from './support/tree.js';

const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'clfs-export-faithful-'));
afterAll(() => removeTree(base));
const EMFILE = 24;
const UTIME_NOW = 0x3fffffff;
const UTIME_OMIT = 0x3ffffffe;

let whole: MemoryContainer;
let source: string;
beforeAll(async () => {
  ({ source, whole } = await makeAudited(base));
});

let targets = 0;
const newTarget = () => join(base, `target-${targets++}`);

function calling(own: Partial<TargetCalls>): { readonly internals: { readonly calls: TargetCalls } } {
  return { internals: { calls: { ...SYSTEM_CALLS, ...own } } };
}

describe('an export', () => {
  it('gives files their modes where new files get bits that nobody asked for', async () => {
    // As a file system that has modes of its own for files that are made.
    const made = new Map<number, bigint>();
    const calls: Partial<TargetCalls> = {
      openAt(at, name, flags, mode) {
        const fd = SYSTEM_CALLS.openAt(at, name, flags, mode);
        if ((flags & Open.create) !== 0) {
          SYSTEM_CALLS.setModeFd(fd, 0o755);
          made.set(fd, SYSTEM_CALLS.statFd(fd).inode);
        }
        return fd;
      },
    };
    const target = newTarget();
    const { status } = await exportSmall(whole, base, target, calling(calls));
    expect(status).toBe('Completed');
    expect(made.size).toBeGreaterThan(0);
    for (const name of readdirSync(join(source, 'wide')))
      expect(lstatSync(join(target, 'wide', name)).mode, name).toBe(lstatSync(join(source, 'wide', name)).mode);
  });

  it('waits for descriptors, whatever it opens', async () => {
    const refused = new Set<string>();
    const calls: Partial<TargetCalls> = {
      openAt(at, name, flags, mode) {
        const key = `${Buffer.from(name).toString('latin1')} ${flags}`;
        if (!refused.has(key)) {
          refused.add(key);
          throw new PosixError('open', EMFILE);
        }
        return SYSTEM_CALLS.openAt(at, name, flags, mode);
      },
    };
    const { status, failures } = await exportSmall(whole, base, newTarget(), calling(calls));
    expect([status, failures]).toEqual(['Completed', []]);
    for (const name of ['fifo', 'symlink', 'file'])
      expect(
        [...refused].some((key) => key.startsWith(`${name} `)),
        name,
      ).toBe(true);
  });

  it('does not take a file of another file system for a link that has its number', async () => {
    const tree = join(base, 'links');
    mkdirSync(tree);
    writeFileSync(join(tree, 'one'), 'content of both');
    linkSync(join(tree, 'one'), join(tree, 'two'));
    const container = await loadSmall(tree, base);
    const target = newTarget();
    mkdirSync(target);
    for (const name of ['one', 'two']) writeFileSync(join(target, name), 'of somebody else');
    // What stands there is said to be of a file system that is mounted in the target.
    const ofGroup = () =>
      readdirSync(target)
        .filter((name) => name.startsWith('.clfsload-'))
        .map((name) => lstatSync(join(target, name), { bigint: true }).ino)[0];
    let met = 0;
    const calls: Partial<TargetCalls> = {
      lookAt(at, name) {
        const there = SYSTEM_CALLS.lookAt(at, name);
        const inode = ofGroup();
        if (!there || inode === undefined || there.inode === inode) return there;
        met++;
        return { ...there, inode, device: '0:0' };
      },
    };
    const { status } = await exportSmall(container, base, target, calling(calls));
    expect(status).toBe('Completed');
    expect(met).toBeGreaterThan(0);
    for (const name of ['one', 'two']) expect(readFileSync(join(target, name), 'utf8')).toBe('content of both');
  });

  it('takes away what a session that died has left, also of what the container lacks by then', async () => {
    const target = newTarget();
    const statePath = join(base, 'state-of-the-dead');
    const wish = { statePath } as const;
    let isDead = false;
    const dying = Object.entries(SYSTEM_CALLS).map(([key, call]) => {
      const made = (...how: unknown[]) => {
        isDead ||= key === 'renameAt';
        if (isDead) throw new Error('the process was killed');
        return (call as (...all: unknown[]) => unknown)(...how);
      };
      return [key, made];
    });
    const calls = Object.fromEntries(dying) as TargetCalls;
    const left = () => readdirSync(target, { recursive: true }).filter((path) => String(path).includes('.clfsload-'));
    expect((await exportSmall(whole, base, target, { ...wish, internals: { calls } })).status).toBe('Failed');
    expect(left().length).toBeGreaterThan(0);
    const container = copyOf(whole);
    for (const name of ['file', 'symlink']) container.blobs.delete(blobNamed(container, name).blob);
    const { status, failures } = await exportSmall(container, base, target, { ...wish, newSession: false });
    expect([status, failures]).toEqual(['CompletedWithErrors', ['a/file', 'b/symlink']]);
    expect(left()).toEqual([]);
  });

  it('makes what an entry is by its type, whatever the type bits of its mode say', async () => {
    const container = copyOf(whole);
    for (const name of ['fifo', 'symlink', 'file', 'large'])
      editNamed(container, name, ({ attributes }) => ({ attributes: { ...attributes, mode: 0o060644 } }));
    const target = newTarget();
    expect((await exportSmall(container, base, target)).status).toBe('Completed');
    expect(lstatSync(join(target, 'b/fifo')).isFIFO()).toBe(true);
    expect(lstatSync(join(target, 'b/symlink')).isSymbolicLink()).toBe(true);
    // And finds all of it there.
    const again = await exportSmall(container, base, target);
    expect(again).toMatchObject({ status: 'Completed', replaced: 0, failed: 0 });
  });

  it.each([UTIME_NOW, UTIME_OMIT, 1_000_000_000])(
    'fails an entry with a time of %d nanoseconds, which cannot be one',
    async (nanoseconds) => {
      const container = copyOf(whole);
      const edit = ({ attributes }: { readonly attributes: Attributes }) => ({
        attributes: { ...attributes, mtime: { ...attributes.mtime, nanoseconds } },
      });
      for (const name of ['file', 'large', 'symlink', 'fifo', 'wide']) editNamed(container, name, edit);
      const reasons = new Map<string, string>();
      const target = newTarget();
      const { status } = await exportSmall(container, base, target, {
        onFailure: (path, reason) => reasons.set(path.toString(), reason),
      });
      expect(status).toBe('CompletedWithErrors');
      expect(Object.fromEntries(reasons)).toEqual({
        'a/file': 'object-damaged',
        'a/large': 'object-damaged',
        'b/symlink': 'object-damaged',
        'b/fifo': 'object-damaged',
        wide: 'object-damaged',
      });
      expect(readdirSync(join(target, 'a'))).toEqual(['linked']);
      expect((await tarOf(container)).failed.sort()).toEqual([...reasons.keys()].sort());
    },
  );

  it('and a tar name the same files whose content is not as long as it should be', async () => {
    const container = copyOf(whole);
    editNamed(container, 'file', ({ attributes }) => ({ attributes: { ...attributes, lengthBytes: 0n } }));
    const { failures } = await exportSmall(container, base, newTarget());
    expect(failures).toEqual(['a/file']);
    expect((await tarOf(container)).failed).toEqual(failures);
  });

  it.each([
    ['empty', ''],
    ['cut by a zero', '../a\0/file'],
  ])('and a tar name a symlink whose target is %s', async (_how, data) => {
    const container = copyOf(whole);
    editNamed(container, 'symlink', () => ({ data: Buffer.from(data) }));
    const { failures } = await exportSmall(container, base, newTarget());
    expect(failures).toEqual(['b/symlink']);
    expect((await tarOf(container)).failed).toEqual(failures);
  });

  it.each([
    ['file', 'large', ['a/file', 'a/large']],
    ['symlink', 'fifo', ['b/fifo', 'b/symlink']],
    ['a', 'b', ['a', 'b']],
  ])('and a tar write nothing of %s and %s, whose blobs were exchanged', async (one, other, names) => {
    const container = copyOf(whole);
    const [first, second] = [blobNamed(container, one).blob, blobNamed(container, other).blob];
    const blob = container.blobs.get(first) as Buffer;
    container.blobs.set(first, container.blobs.get(second) as Buffer);
    container.blobs.set(second, blob);
    const { status, failures } = await exportSmall(container, base, newTarget());
    expect({ status, failures }).toEqual({ status: 'CompletedWithErrors', failures: names });
    expect((await tarOf(container)).failed.sort()).toEqual(names);
    const salvaged = await exportSmall(container, base, newTarget(), { salvage: true });
    expect(salvaged.salvage).toMatchObject({ unreadable: 2 });
  });

  it('as a tar has one entry of each name of a directory', async () => {
    const reader = await readSmall(whole);
    const { failed: before } = await tarOf(whole);
    const original = reader.entries.bind(reader);
    reader.entries = async function* (directory) {
      for await (const piece of original(directory)) {
        yield piece;
        if (directory.id === rootOf.id) yield piece;
      }
    };
    const rootOf = await reader.inode(ROOT_ID);
    const failed: string[] = [];
    const names = new Set<string>();
    const { written } = await exportTar(reader, rootOf, async () => undefined, {
      onFailure: (path, error) => {
        failed.push(path.toString());
        if (!before.includes(path.toString())) expect(error.message).toBe('the name is in its directory twice');
        names.add(path.toString());
      },
    });
    expect(written).toBeGreaterThan(0);
    expect(failed.some((path) => path === 'b')).toBe(true);
    expect(names.size).toBe(failed.length);
    expect(failed.some((path) => path.startsWith('b/') && !before.includes(path))).toBe(false);
  });

  it('as a tar names a device whose number no header has room for', async () => {
    const container = copyOf(whole);
    editNamed(container, 'fifo', ({ attributes }) => ({ attributes: { ...attributes, deviceMinor: 0xffffffff } }));
    expect((await tarOf(container)).failed).toEqual(['b/fifo']);
  });
});

async function tarOf(container: MemoryContainer): Promise<{ readonly failed: string[] }> {
  const failed: string[] = [];
  const reader = await readSmall(container);
  await exportTar(reader, await reader.inode(ROOT_ID), async () => undefined, {
    onFailure: (path) => failed.push(path.toString()),
  });
  return { failed };
}
