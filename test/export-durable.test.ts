import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  fstatSync,
  linkSync,
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
import type { ExportJobOptions } from '../src/export/options.js';
import { SYSTEM_CALLS, type TargetCalls } from '../src/export/target/target-calls.js';
import { Open } from '../src/posix/libc.js';
import { PosixError } from '../src/posix/posix-error.js';
import type { CommitHooks } from '../src/state/job-database.js';
import { differenceOf, linkSets, snapshotOf } from './export-lives/snapshot.js';
import { exportSmall } from './support/export-small.js';
import { loadSmall } from './support/small-container.js';
import { removeTree, someBytes } from './support/tree.js';
import { VolatileDisk } from './support/volatile-disk.js';

const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'clfs-export-durable-'));
afterAll(() => removeTree(base));
const EIO = 5;
const ENOSPC = 28;

type Call = keyof TargetCalls;
const CHANGING = /^(write|truncate|make|remove|rename|set|sync|closeWritten)/;

/** Calls of which it is told in order which were made; `before` may have them fail. */
function watched(before: (call: Call, made: readonly Call[]) => void = () => undefined, system = SYSTEM_CALLS) {
  const made: Call[] = [];
  const calls: Record<string, unknown> = {};
  for (const [key, call] of Object.entries(system))
    calls[key] = (...how: unknown[]) => {
      before(key as Call, made);
      made.push(key as Call);
      return (call as (...how: unknown[]) => unknown)(...how);
    };
  return { calls: calls as unknown as TargetCalls, made };
}

/** Calls of which the first sync after one of `call` fails, and all others succeed. */
function failingSyncAfter(call: Call) {
  let failed = 0;
  const { calls, made } = watched((next, before) => {
    if (next !== 'sync' || failed > 0 || !before.includes(call)) return;
    failed++;
    throw new PosixError('sync', EIO);
  });
  return { calls, made, failed: () => failed };
}

async function load(name: string, fill: (source: string) => void): Promise<MemoryContainer> {
  const source = join(base, name);
  mkdirSync(source);
  fill(source);
  return loadSmall(source, base);
}

let number = 0;
/** Two sessions of one export: the first with `calls`, the other with nothing in its way. */
function twoSessions(container: MemoryContainer, more: Partial<ExportJobOptions> = {}) {
  const target = join(base, `target-${++number}`);
  const statePath = join(base, `state-${number}`);
  return {
    target,
    first: (calls: TargetCalls, signal?: AbortSignal) =>
      exportSmall(container, base, target, { statePath, ...more, signal, internals: { calls } }),
    second: (internals?: ExportJobOptions['internals']) =>
      exportSmall(container, base, target, { statePath, newSession: false, ...more, internals }),
  };
}

let files: MemoryContainer;
let linked: MemoryContainer;
let large: MemoryContainer;
let largeLinked: MemoryContainer;
let directories: MemoryContainer;
beforeAll(async () => {
  files = await load('files', (source) => {
    for (let f = 0; f < 3; f++) writeFileSync(join(source, `f${f}`), someBytes(3000, f));
    symlinkSync('f1', join(source, 'symlink'));
  });
  linked = await load('linked', (source) => {
    writeFileSync(join(source, 'a'), someBytes(3000, 1));
    for (const name of ['b', 'c']) linkSync(join(source, 'a'), join(source, name));
  });
  large = await load('large', (source) => writeFileSync(join(source, 'large'), someBytes(30_000, 1)));
  largeLinked = await load('large-linked', (source) => {
    writeFileSync(join(source, 'a'), someBytes(30_000, 1));
    linkSync(join(source, 'a'), join(source, 'b'));
  });
  directories = await load('directories', (source) => {
    mkdirSync(join(source, 'd'));
    mkdirSync(join(source, 'e'));
  });
});

describe('nothing is told as done before a later sync has succeeded:', () => {
  it.each<[string, () => MemoryContainer, Call, number]>([
    ['files', () => files, 'write', 5],
    ['names of a file that has several', () => linked, 'makeLink', 4],
    ['blocks of a large file', () => large, 'write', 2],
    ['the name of a large file', () => large, 'renameAt', 2],
    ['attributes of directories', () => directories, 'setModeFd', 3],
  ])('%s', async (_what, container, call, entries) => {
    const { calls, failed } = failingSyncAfter(call);
    const { first, second } = twoSessions(container());
    const summary = await first(calls);
    expect(failed()).toBe(1);
    expect(summary).toMatchObject({ status: 'Failed', error: { code: 'target' }, written: 0, failed: 0 });
    const { status, written, replaced, left } = await second();
    expect(status).toBe('Completed');
    expect(written + replaced + left).toBe(entries);
  });

  it('of names of a file that has several, those that were made before a stop are told after a sync', async () => {
    const controller = new AbortController();
    const { calls, made } = watched((call) => {
      if (call === 'makeLink') controller.abort();
    });
    const { first } = twoSessions(linked);
    const { status, written } = await first(calls, controller.signal);
    expect(status).toBe('Cancelled');
    expect(written).toBe(1);
    expect(made.lastIndexOf('sync')).toBeGreaterThan(made.lastIndexOf('makeLink'));
  });

  it('of directories, those that have their attributes when the disk gets full are told after a sync', async () => {
    let restored = 0;
    const { calls, made } = watched((call) => {
      if (call === 'setModeFd' && ++restored === 2) throw new PosixError('chmod', ENOSPC);
    });
    const { first } = twoSessions(directories);
    expect(await first(calls)).toMatchObject({ status: 'Failed', written: 1 });
    expect(made.lastIndexOf('sync')).toBeGreaterThan(made.lastIndexOf('setModeFd'));
  });

  it.each(['never', 'if-different'] as const)(
    'with --overwrite=%s a large file is told when its name is durable',
    async (overwrite) => {
      const { calls, made } = watched();
      const { first } = twoSessions(large, { overwrite });
      expect(await first(calls)).toMatchObject({ status: 'Completed', written: 2 });
      const named = made.lastIndexOf(overwrite === 'never' ? 'renameNew' : 'renameAt');
      expect(named).toBeGreaterThan(0);
      // The directory gets its attributes, and its own sync, behind.
      expect(made.slice(named, made.indexOf('setModeFd', named))).toContain('sync');
    },
  );

  it.each<[string, 'write' | 'closeWritten', number]>([
    ['a write', 'write', ENOSPC],
    ['the closing', 'closeWritten', ENOSPC],
    ['a write, while the target does not answer,', 'write', EIO],
    ['the closing, while the target does not answer,', 'closeWritten', EIO],
  ])('blocks of a large file that %s says may be lost are not told', async (_what, call, errno) => {
    let lost = 0;
    const writes = new Map<number, [position: number, bytes: number][]>();
    /** What was written by it gets lost. */
    const lose = (fd: number) => {
      lost++;
      for (const [position, bytes] of writes.get(fd) ?? []) SYSTEM_CALLS.write(fd, Buffer.alloc(bytes), position);
    };
    const calls: TargetCalls = {
      ...SYSTEM_CALLS,
      write(fd, bytes, position) {
        const before = writes.get(fd) ?? [];
        if (call === 'write' && lost === 0 && before.length > 1) {
          lose(fd);
          throw new PosixError('write', errno);
        }
        SYSTEM_CALLS.write(fd, bytes, position);
        writes.set(fd, [...before, [position, bytes.length]]);
      },
      closeWritten(fd) {
        const isLost = call === 'closeWritten' && lost === 0 && writes.has(fd);
        if (isLost) lose(fd);
        writes.delete(fd);
        SYSTEM_CALLS.closeWritten(fd);
        if (isLost) throw new PosixError('close', errno);
      },
      statFd(fd, fresh) {
        if (fresh && errno === EIO) throw new PosixError('stat', errno);
        return SYSTEM_CALLS.statFd(fd, fresh);
      },
    };
    const { target, first, second } = twoSessions(large);
    expect(await first(calls)).toMatchObject({ status: 'Failed', error: { code: 'target' } });
    expect(lost).toBe(1);
    expect(await second()).toMatchObject({ status: 'Completed', written: 2, bytes: 30_000 });
    expect(readFileSync(join(target, 'large')).equals(someBytes(30_000, 1))).toBe(true);
  });

  it('a large file whose temporary file is gone is begun anew, also when the next one gets the same inode number', async () => {
    const whole = await load('reused', (source) => writeFileSync(join(source, 'large'), someBytes(60_000, 3)));
    const { target, first, second } = twoSessions(whole);
    const INODE = 4711n;
    const isTemporary = (name: Uint8Array) => /^\.clfsload-.*-f\d+$/.test(Buffer.from(name).toString());
    const temporaries = new Set<number>();
    /** The kernel gives each temporary file the same number. */
    const reusing: TargetCalls = {
      ...SYSTEM_CALLS,
      openAt(...how) {
        const fd = SYSTEM_CALLS.openAt(...how);
        if (isTemporary(how[1])) temporaries.add(fd);
        else temporaries.delete(fd);
        return fd;
      },
      statFd: (fd) => ({ ...SYSTEM_CALLS.statFd(fd), ...(temporaries.has(fd) && { inode: INODE }) }),
      lookAt(at, name) {
        const status = SYSTEM_CALLS.lookAt(at, name);
        return status && isTemporary(name) ? { ...status, inode: INODE } : status;
      },
    };
    const full: TargetCalls['write'] = (fd, bytes, position) => {
      if (position > 30_000) throw new PosixError('write', ENOSPC);
      SYSTEM_CALLS.write(fd, bytes, position);
    };
    const stopped = await first({ ...reusing, write: full });
    const message = expect.stringContaining('Cannot write "large"');
    expect(stopped).toMatchObject({ status: 'Failed', error: { code: 'target', message } });
    expect(stopped.bytes).toBeGreaterThan(0);
    const temporary = readdirSync(target).find((name) => isTemporary(Buffer.from(name))) as string;
    rmSync(join(target, temporary));
    // The session that makes it again dies before that is recorded.
    let made = 0;
    const openAt: TargetCalls['openAt'] = (...how) => {
      const fd = reusing.openAt(...how);
      if (isTemporary(how[1]) && (how[2] & Open.create) !== 0) made++;
      return fd;
    };
    const dying: CommitHooks = {
      before() {
        if (made > 0) throw new Error('killed');
      },
    };
    expect((await second({ calls: { ...reusing, openAt }, hooks: dying })).status).toBe('Failed');
    expect(made).toBe(1);
    expect(existsSync(join(target, temporary))).toBe(true);
    expect(await second({ calls: reusing })).toMatchObject({ status: 'Completed', written: 2, bytes: 60_000 });
    expect(readFileSync(join(target, 'large')).equals(someBytes(60_000, 3))).toBe(true);
  });
});

describe.each(['if-different', 'never'] as const)('after a power cut with --overwrite=%s', (overwrite) => {
  it.each<[string, () => MemoryContainer]>([
    ['files', () => files],
    ['linked', () => linked],
    ['large', () => large],
    ['large-linked', () => largeLinked],
  ])('whenever it comes, and whether it takes bytes or names: %s', async (name, container) => {
    const whole = snapshotOf(join(base, name));
    let cuts = 0;
    for (const lost of ['bytes', 'names'] as const)
      for (let at = 1; at < 100; at++) {
        const disk = new VolatileDisk();
        let changes = 0;
        const { calls } = watched((call) => {
          if (CHANGING.test(call) && ++changes >= at) throw new Error('no power');
        }, disk.calls);
        const { target, first, second } = twoSessions(container(), { overwrite });
        const cut = await first(calls);
        if (cut.status === 'Completed') break;
        cuts++;
        if (lost === 'bytes') disk.loseBytes();
        else disk.loseNames();
        const { status, failed } = await second();
        expect({ status, failed, at, lost }).toEqual({ status: 'Completed', failed: 0, at, lost });
        const is = snapshotOf(target);
        expect([...is.keys()].sort(), `${lost} at ${at}`).toEqual([...whole.keys()].sort());
        for (const [path, should] of whole)
          expect(differenceOf(is.get(path), should), `${path}: ${lost} at ${at}`).toBe('');
        expect(linkSets(is), `${lost} at ${at}`).toEqual(linkSets(whole));
      }
    expect(cuts).toBeGreaterThan(10);
  });
});

describe('a file system that is mounted in the target', () => {
  const target = join(base, 'target-with-mount');
  const mount = () => spawnSync('mount', ['-t', 'tmpfs', 'none', join(target, 'below')]).status === 0;
  mkdirSync(join(target, 'below'), { recursive: true });
  const isMounted = mount();
  afterAll(() => {
    if (isMounted) execFileSync('umount', ['-l', join(target, 'below')]);
  });

  it.skipIf(!isMounted)('is synced before what was written to it counts (where one can be mounted)', async () => {
    const container = await load('mount', (source) => {
      mkdirSync(join(source, 'below/deep'), { recursive: true });
      for (const path of ['file', 'below/file', 'below/deep/file']) writeFileSync(join(source, path), 'content');
    });
    const device = statSync(join(target, 'below'), { bigint: true }).dev;
    let isDirty = false;
    let syncs = 0;
    const system: TargetCalls = {
      ...SYSTEM_CALLS,
      write(fd, ...how) {
        isDirty ||= fstatSync(fd, { bigint: true }).dev === device;
        SYSTEM_CALLS.write(fd, ...how);
      },
      sync(fd) {
        SYSTEM_CALLS.sync(fd);
        if (fstatSync(fd, { bigint: true }).dev !== device) return;
        isDirty = false;
        syncs++;
      },
    };
    const summary = await exportSmall(container, base, target, { internals: { calls: system } });
    expect(summary).toMatchObject({ status: 'Completed', written: 6 });
    expect(isDirty).toBe(false);
    expect(syncs).toBeGreaterThan(0);
  });

  it.skipIf(!isMounted)('is missed when an export goes on that wrote to it (where one can be mounted)', async () => {
    const container = await load('unmounted', (source) => {
      mkdirSync(join(source, 'tmpfs/deep'), { recursive: true });
      for (const path of ['file', 'tmpfs/deep/file']) writeFileSync(join(source, path), 'content');
    });
    const own = join(base, 'target-unmounted');
    const point = join(own, 'tmpfs');
    mkdirSync(point, { recursive: true });
    const statePath = join(base, 'state-unmounted');
    execFileSync('mount', ['-t', 'tmpfs', 'none', point]);
    try {
      const setTimesFd = () => {
        throw new Error('the process died');
      };
      const calls = { ...SYSTEM_CALLS, setTimesFd };
      expect(await exportSmall(container, base, own, { statePath, internals: { calls } })).toMatchObject({
        written: 2,
      });
    } finally {
      execFileSync('umount', [point]);
    }
    const goOn = () => exportSmall(container, base, own, { statePath, newSession: false });
    await expect(goOn()).rejects.toThrow(
      /^What was mounted at "tmpfs" of the target when the export began .* files whose names begin with "\.clfsload-/,
    );
  });

  it.skipIf(!isMounted)('is of no account where nothing is written to it (where one can be mounted)', async () => {
    const container = await load('beside', (source) => {
      mkdirSync(join(source, 'd/deep'), { recursive: true });
      for (const path of ['file', 'd/deep/file']) writeFileSync(join(source, path), 'content');
    });
    const own = join(base, 'target-beside');
    const points = ['other', 'd/other'].map((path) => join(own, path));
    for (const point of points) mkdirSync(point, { recursive: true });
    const mountAt = (point: string) => execFileSync('mount', ['-t', 'tmpfs', 'none', point]);
    const setTimesFd = () => {
      throw new Error('the process died');
    };
    const died = { internals: { calls: { ...SYSTEM_CALLS, setTimesFd } } };
    const statePath = join(base, 'state-beside');
    const one = { statePath: join(base, 'state-one'), path: Buffer.from('file') };
    mountAt(points[0]);
    try {
      expect((await exportSmall(container, base, own, { statePath, ...died })).status).toBe('Failed');
      const stop = new AbortController();
      const stopped = { ...one, signal: stop.signal, onStart: () => stop.abort() };
      expect((await exportSmall(container, base, join(own, 'one'), stopped)).status).toBe('Cancelled');
      // One file is gone on with where something is mounted beside it all the time.
      const again = await exportSmall(container, base, join(own, 'one'), { ...one, newSession: false });
      expect(again.status).toBe('Completed');
    } finally {
      execFileSync('umount', [points[0]]);
    }
    mountAt(points[1]);
    try {
      const goOn = () => exportSmall(container, base, own, { statePath, newSession: false, ...died });
      for (let session = 0; session < 2; session++) expect((await goOn()).status).toBe('Failed');
    } finally {
      execFileSync('umount', [points[1]]);
    }
    expect((await exportSmall(container, base, own, { statePath, newSession: false })).status).toBe('Completed');
  });
});
