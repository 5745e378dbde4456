import { closeSync, mkdirSync, mkdtempSync, openSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { load } from '../src/load/load.js';
import { isOnLustre, listAttributes, readAttribute } from '../src/posix/extended-attributes.js';
import { openPosixSource } from '../src/source/posix-source.js';
import { selectFrom } from '../src/source/selection.js';
import type { Unstorable } from '../src/source/source-tree.js';
import { entryFailure } from '../src/source/source-tree.js';
import { unstorableAt } from '../src/source/unstorable.js';
import { sizeTree } from '../src/worker/size-tree.js';
import { addUnstorable, NOTHING_UNSTORABLE, type UnstorableCount } from '../src/worker/unstorable-count.js';
import { startAzurite } from './support/azurite.js';
import { SMALL } from './support/check.js';
import { KillableWorld } from './support/killable-world.js';
import { runProgram } from './support/program.js';
import { isRoot, removeTree, someBytes } from './support/tree.js';
import { Job, lock, type Watch } from './support/whole-job.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-unstorable-'));
afterAll(() => removeTree(base));
const lsetxattr = koffi
  .load(null as unknown as string)
  .func('int lsetxattr(const char *, const char *, const void *, size_t, int)');
const set = (path: string, name: string, value: Buffer = Buffer.from('x')) =>
  lsetxattr(path, name, value, value.length, 0) === 0;

/** An access ACL that gives uid 1 the right to read: user, user 1, group, mask, others. */
const ACL = Buffer.from(
  '02000000010006 00ffffffff0200040001000000040004 00ffffffff10000400ffffffff20000000ffffffff'.replaceAll(' ', ''),
  'hex',
);

let source: string;
beforeEach(() => {
  source = mkdtempSync(join(base, 'source-'));
  mkdirSync(join(source, 'dir'));
  for (const name of ['plain', 'acl', 'user', 'dir/both', 'capable', 'labelled'])
    writeFileSync(join(source, name), name);
  symlinkSync('acl', join(source, 'symlink'));
});

const probe = join(base, 'probe');
writeFileSync(probe, '');
const hasUser = set(probe, 'user.probe');
const hasAcl = set(probe, 'system.posix_acl_access', ACL);
const hasTrusted = isRoot && set(probe, 'trusted.probe');
const hasSecurity = isRoot && set(probe, 'security.probe');

function lookAt(name: string, lustre = false): Unstorable | undefined {
  const fd = openSync(source, 'r');
  try {
    return unstorableAt(fd, Buffer.from(name), lustre);
  } finally {
    closeSync(fd);
  }
}

const NONE = { acl: false, attributes: false, released: false };

describe('one entry', () => {
  it('without anything, of every kind, and one that is not there', () => {
    for (const name of ['plain', 'dir', 'symlink', '.', 'gone']) expect(lookAt(name)).toEqual(NONE);
  });

  it.runIf(hasAcl)('with an ACL, which a symlink to it has not', () => {
    expect(set(join(source, 'acl'), 'system.posix_acl_access', ACL)).toBe(true);
    expect(lookAt('acl')).toEqual({ ...NONE, acl: true });
    expect(lookAt('symlink')).toEqual(NONE);
    expect(set(join(source, 'dir'), 'system.posix_acl_default', ACL)).toBe(true);
    expect(lookAt('dir')).toEqual({ ...NONE, acl: true });
  });

  it.runIf(hasUser)('with an attribute, under a name that is not UTF-8', () => {
    const name = Buffer.from('b\xff', 'latin1');
    writeFileSync(Buffer.concat([Buffer.from(`${source}/`), name]), '');
    const fd = openSync(source, 'r');
    try {
      expect(unstorableAt(fd, name, false)).toEqual(NONE);
      const path = Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), name, Buffer.from([0])]);
      const raw = koffi
        .load(null as unknown as string)
        .func('int lsetxattr(const void *, const char *, const void *, size_t, int)');
      expect(raw(path, 'user.mine', Buffer.from('x'), 1, 0)).toBe(0);
      expect(unstorableAt(fd, name, false)).toEqual({ ...NONE, attributes: true });
      expect(listAttributes(fd, name)).toEqual(['user.mine']);
      expect(readAttribute(fd, name, 'user.mine')).toEqual(Buffer.from('x'));
      expect(readAttribute(fd, name, 'user.other')).toBeUndefined();
    } finally {
      closeSync(fd);
    }
  });

  it.runIf(hasUser)('with more attributes than most have, by both ways of calling', async () => {
    for (let n = 0; n < 20; n++) expect(set(join(source, 'user'), `user.${`${n}`.padStart(100, 'n')}`)).toBe(true);
    const directory = openPosixSource(Buffer.from(source)).openDirectory(Buffer.alloc(0));
    const found = await directory.async?.unstorableOf?.(Buffer.from('user'));
    expect(found).toEqual({ ...NONE, attributes: true });
    expect(directory.unstorableOf?.(Buffer.from('user'))).toEqual(found);
    directory.close();
  });

  it.runIf(hasSecurity)('what the policy of the machine and file systems keep is not counted; a capability is', () => {
    expect(set(join(source, 'labelled'), 'security.selinux', Buffer.from('system_u:object_r:etc_t:s0\0'))).toBe(true);
    expect(lookAt('labelled')).toEqual(NONE);
    if (hasTrusted) {
      expect(set(join(source, 'labelled'), 'trusted.lov')).toBe(true);
      expect(lookAt('labelled')).toEqual(NONE);
      expect(set(join(source, 'labelled'), 'trusted.mine')).toBe(true);
      expect(lookAt('labelled')).toEqual({ ...NONE, attributes: true });
    }
    const capability = Buffer.from('0000000200040000000000000000000000000000', 'hex');
    expect(set(join(source, 'capable'), 'security.capability', capability)).toBe(true);
    expect(lookAt('capable')).toEqual({ ...NONE, attributes: true });
  });
});

describe('files that HSM has released', () => {
  const u32 = (...words: number[]) => {
    const bytes = Buffer.alloc(words.length * 4);
    for (const [at, word] of words.entries()) bytes.writeUInt32LE(word >>> 0, at * 4);
    return bytes;
  };
  const RAID0 = 1;
  const RELEASED = 0x8000_0001;
  const simple = (magic: number, pattern: number) => Buffer.concat([u32(magic, pattern), Buffer.alloc(24)]);
  const composite = (...patterns: number[]) => {
    const head = Buffer.alloc(32 + 48 * patterns.length);
    head.writeUInt32LE(0x0bd60bd0, 0);
    head.writeUInt16LE(patterns.length, 14);
    for (const at of patterns.keys()) head.writeUInt32LE(head.length + 32 * at, 32 + 48 * at + 24);
    return Buffer.concat([head, ...patterns.map((pattern) => simple(0x0bd10bd0, pattern))]);
  };
  /** compat, flags, archive and version, as HSM keeps them. */
  const state = (flags: number) => Buffer.concat([u32(0, flags), Buffer.alloc(16)]);

  it.runIf(hasTrusted).each([
    ['a layout that is there', { 'trusted.lov': simple(0x0bd10bd0, RAID0) }, false],
    ['a released layout', { 'trusted.lov': simple(0x0bd10bd0, RELEASED) }, true],
    ['a released layout of version 3', { 'trusted.lov': simple(0x0bd30bd0, RELEASED) }, true],
    ['a released composite layout', { 'trusted.lov': composite(RELEASED, RELEASED) }, true],
    ['a composite layout of which a part is there', { 'trusted.lov': composite(RELEASED, RAID0) }, false],
    ['a composite layout without parts', { 'trusted.lov': composite() }, false],
    ['a composite layout that is cut', { 'trusted.lov': composite(RELEASED).subarray(0, 81) }, false],
    ['a layout of another kind', { 'trusted.lov': simple(0x0bd70bd0, RELEASED) }, false],
    ['a short layout', { 'trusted.lov': Buffer.from([1]) }, false],
    ['exists and archived', { 'trusted.hsm': state(0x1 | 0x8) }, false],
    ['exists, archived and released', { 'trusted.hsm': state(0x1 | 0x8 | 0x4) }, true],
    ['a short state', { 'trusted.hsm': Buffer.from([4, 4, 4, 4]) }, false],
  ])('%s', (_, attributes, released) => {
    for (const [name, value] of Object.entries(attributes)) expect(set(join(source, 'plain'), name, value)).toBe(true);
    expect(lookAt('plain', true)).toEqual({ ...NONE, released });
    // Elsewhere the same bytes mean nothing.
    expect(lookAt('plain', false)).toEqual(NONE);
  });

  it('no file system here is Lustre', () => {
    const fd = openSync(source, 'r');
    expect(isOnLustre(fd)).toBe(false);
    closeSync(fd);
  });
});

describe('a tree', () => {
  const size = async (selection: Parameters<typeof selectFrom>[1], unstorable = true) => {
    const tree = selectFrom(openPosixSource(Buffer.from(source)), selection);
    const result = await sizeTree(tree, { preserveHardLinks: true, geometry: SMALL, unstorable });
    tree.close();
    return result.unstorable;
  };
  const EVERYTHING = { excludePaths: [], excludePatterns: [], oneFileSystem: false };

  it.runIf(hasUser && hasAcl)('is counted, with the first paths; what is left out is not', async () => {
    expect(await size(EVERYTHING)).toEqual(NOTHING_UNSTORABLE);
    set(join(source, 'dir/both'), 'user.a');
    set(join(source, 'dir/both'), 'user.b');
    set(join(source, 'dir/both'), 'system.posix_acl_access', ACL);
    set(join(source, 'user'), 'user.a');
    set(source, 'system.posix_acl_default', ACL);
    const path = (text: string) => Buffer.from(text) as Uint8Array;
    const count = (await size(EVERYTHING)) as UnstorableCount;
    expect(count.acls).toEqual({ entries: 2, first: path('') });
    expect(count.attributes.entries).toBe(2);
    expect(['user', 'dir/both']).toContain(Buffer.from(count.attributes.first as Uint8Array).toString());
    expect(count.released.entries).toBe(0);
    expect((await size({ ...EVERYTHING, excludePaths: ['dir'] }))?.attributes).toEqual({
      entries: 1,
      first: path('user'),
    });
    expect(await size(EVERYTHING, false)).toBeUndefined();
    expect(addUnstorable(NOTHING_UNSTORABLE, count)).toEqual(count);
    expect(addUnstorable(count, count).acls).toEqual({ entries: 4, first: path('') });
  });

  it.runIf(hasUser && hasAcl)('a dry run tells of it', async () => {
    set(join(source, 'user'), 'user.a');
    set(join(source, 'acl'), 'system.posix_acl_access', ACL);
    const args = ['load', source, join(base, 'never'), '--dry-run'];
    const text = await runProgram('clfsload', args);
    expect(text.stdout).toContain('\nEntries with POSIX ACLs, which the format cannot hold: 1, the first: acl\n');
    expect(text.stdout).toContain(
      '\nEntries with extended attributes, which it cannot hold either: 1, the first: user\n',
    );
    expect(text.stdout).toContain('\nFiles that HSM has released, and that a load recalls: 0\n');
    const json = await runProgram('clfsload', [...args, '--output-type=json']);
    const { MessageContent } = JSON.parse(json.stdout) as { MessageContent: string };
    expect((JSON.parse(MessageContent) as { not_held: unknown }).not_held).toEqual({
      acls: { entries: 1, first_path: 'acl', first_path_hex: Buffer.from('acl').toString('hex') },
      extended_attributes: { entries: 1, first_path: 'user', first_path_hex: Buffer.from('user').toString('hex') },
      hsm_released: { entries: 0 },
    });
  });
});

describe('the end of a load', () => {
  const COUNTED = /INFO: .*(which the format cannot hold|were not counted).*/g;

  it.runIf(hasUser && hasAcl)(
    'tells what the listings of a short load counted, and is silent when that is nothing',
    async () => {
      const tree = join(base, 'short');
      mkdirSync(join(tree, 'd'), { recursive: true });
      for (const name of ['a', 'd/b', 'd/c']) writeFileSync(join(tree, name), name);
      const load = async (name: string) => {
        const args = [
          'load',
          tree,
          join(base, `container-${name}`),
          `--state-path=${join(base, `state-${name}`)}`,
          '--estimate=false',
        ];
        return (await runProgram('clfsload', args)).stdout.match(COUNTED);
      };
      expect(await load('nothing')).toBeNull();
      set(join(tree, 'd'), 'user.a');
      set(join(tree, 'd/c'), 'user.a');
      set(tree, 'system.posix_acl_access', ACL);
      expect(await load('something')).toEqual([
        'INFO: 1 entry has ACLs, which the format cannot hold; the first is ..',
        'INFO: 2 entries have extended attributes, which the format cannot hold; the first is d.',
      ]);
    },
  );

  it.runIf(hasUser)('does not count what is in a directory that could not be listed', async () => {
    const tree = mkdtempSync(join(base, 'locked-'));
    mkdirSync(join(tree, 'd'));
    writeFileSync(join(tree, 'd/b'), 'b');
    set(join(tree, 'd/b'), 'user.a');
    const world = new KillableWorld(true);
    let locked = true;
    const session = async (newSession: boolean) => {
      const notes: string[] = [];
      const summary = await load({
        source: tree,
        destination: '/unused',
        statePath: join(base, 'locked-state'),
        newSession,
        estimate: false,
        onEvent: (event) => void (event.kind === 'message' && notes.push(event.text)),
        internals: {
          container: world.container,
          geometry: SMALL,
          wrapSource: (posix) => ({
            ...posix,
            openDirectory(path, expected) {
              if (locked && path.toString() === 'd') throw entryFailure('directory-unreadable', 'permission denied');
              return posix.openDirectory(path, expected);
            },
          }),
        },
      });
      return { status: summary.status, notes: notes.filter((text) => /cannot hold/.test(text)) };
    };
    const told = [expect.stringContaining('were not counted')];
    expect(await session(true)).toEqual({ status: 'CompletedWithErrors', notes: told });
    locked = false;
    expect(await session(false)).toEqual({ status: 'Completed', notes: told });
  });

  it('says that nothing was counted where the source cannot tell, and remembers what was', async () => {
    const notesOf = async (job: Job, watch: Watch) => {
      const notes: string[] = [];
      await job.session(watch, { onEvent: (event) => void (event.kind === 'message' && notes.push(event.text)) });
      return notes.filter((text) => /which the format cannot hold/.test(text));
    };
    const job = new Job(base, { estimate: false });
    job.file('d/a');
    const nothing =
      'ACLs and extended attributes, which the format cannot hold, were not counted: the load did not size its source. "clfsload load --dry-run" counts them.';
    expect(await notesOf(job, lock('d/a'))).toEqual([nothing]);
    expect(await notesOf(job, {})).toEqual([nothing]);
  });

  it.runIf(hasUser && hasAcl)('tells what was counted beside it, and is silent when that is nothing', async () => {
    const azurite = await startAzurite();
    try {
      // The sizing begins after five seconds.
      writeFileSync(join(source, 'slow'), someBytes(1_000_000, 1));
      const slow = ['--cap-mbps=1', '--compression-type=DISABLED'];
      const loadInto = async (name: string) => {
        const args = ['load', source, await azurite.createContainer(name), `--state-path=${join(base, name)}`, ...slow];
        const { stdout } = await runProgram('clfsload', args);
        expect(stdout).toContain('Final Job Status: Completed\n');
        return stdout.match(COUNTED);
      };
      expect(await loadInto('nothing')).toBeNull();
      set(join(source, 'user'), 'user.a');
      set(join(source, 'acl'), 'system.posix_acl_access', ACL);
      expect(await loadInto('something')).toEqual([
        'INFO: 1 entry has ACLs, which the format cannot hold; the first is acl.',
        'INFO: 1 entry has extended attributes, which the format cannot hold; the first is user.',
      ]);
    } finally {
      await azurite.stop();
    }
  });
});

it('says which of these file systems has which attributes, so that a skipped test is seen', () => {
  console.info(`attributes of ${base}: user ${hasUser}, ACL ${hasAcl}, trusted ${hasTrusted}, security ${hasSecurity}`);
  expect(hasUser || hasAcl || !isRoot || hasTrusted).toBe(true);
});
