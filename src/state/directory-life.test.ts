import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { emptyState } from '../../test/support/empty-state.js';
import type { Database } from '../sqlite/database.js';
import { Chunks } from './chunks.js';
import { Directories } from './directories.js';
import { DirectoryLife } from './directory-life.js';
import { DirectoryStatus as S } from './schema.js';

let db: Database;
let directories: Directories;
let life: DirectoryLife;
beforeEach(() => {
  db = emptyState();
  directories = new Directories(db);
  life = new DirectoryLife(db);
});
afterEach(() => db.close());

const ATTRIBUTES = Buffer.from('attributes');
const TALLY = Buffer.from('tally');
let inodes = 100n;
/** A directory; the first one is the root. */
function add(
  parent: number,
  status: number = S.found,
  change: Partial<Parameters<Directories['add']>[0]> = {},
): number {
  const inode = inodes++;
  const own = {
    parent,
    name: Buffer.from(`n${inode}`),
    fileSystem: 0,
    inode,
    bornNs: 0n,
    sequence: Number(inode),
    manager: 5,
    status,
  };
  return directories.add({ ...own, ...change }) as number;
}
const statusOf = (id: number) => directories.get(id).status;

describe('a directory', () => {
  it('goes from found to written, and waits on the way for what is in it', () => {
    const root = add(0, S.listing);
    const child = add(root, S.hidden);
    expect(life.claimFound(10)).toEqual([]);
    life.revealChildren(root);
    life.setListed(root, ATTRIBUTES, 2, false);
    expect([root, child].map(statusOf)).toEqual([S.waiting, S.found]);
    expect(life.hasUnlisted()).toBe(true);
    expect(life.claimFound(10)).toEqual([child]);
    expect(statusOf(child)).toBe(S.listing);
    expect(life.hasUnlisted()).toBe(true);
    life.setListed(child, ATTRIBUTES, 0, false);
    expect(life.hasUnlisted()).toBe(false);
    expect(directories.get(child)).toMatchObject({
      status: S.ready,
      revision: -1,
      attributes: new Uint8Array(ATTRIBUTES),
    });
    expect(life.claimReady(10)).toEqual([child]);
    expect(directories.get(child)).toMatchObject({ status: S.writing, revision: 0 });
    expect(life.writing(0, 10).map(({ id }) => id)).toEqual([child]);
    expect(life.written(child)).toBeUndefined();
    life.setWritten(child, 3, TALLY);
    expect(statusOf(child)).toBe(S.written);
    expect(life.written(child)).toEqual({ revision: 0, blocks: 3, tally: new Uint8Array(TALLY) });
    life.addPending(root, -1);
    expect(statusOf(root)).toBe(S.waiting);
    life.addPending(root, -1);
    expect(statusOf(root)).toBe(S.ready);
  });

  it('is listed anew when its listing is lost, and what that had found is forgotten', () => {
    const root = add(0);
    life.claimFound(1);
    const hidden = add(root, S.hidden);
    life.dropHiddenChildren(root);
    expect(directories.find(hidden)).toBeUndefined();
    life.loseListing(root);
    expect(statusOf(root)).toBe(S.found);
    expect(() => life.loseListing(root)).toThrow(`Directory ${root} is not being listed.`);
  });

  it('is written anew, as another revision, when its writing is lost', () => {
    add(0);
    const child = add(1, S.ready);
    life.claimReady(1);
    life.loseWriting(child);
    expect(statusOf(child)).toBe(S.ready);
    expect(() => life.loseWriting(child)).toThrow(`Directory ${child} is not being written.`);
    life.claimReady(1);
    expect(directories.get(child)).toMatchObject({ status: S.writing, revision: 1 });
  });

  it('is claimed with the latest found first, and to be written in their order, the root by itself', () => {
    const root = add(0, S.ready);
    const [first, second, third] = [add(root), add(root), add(root)];
    expect(life.claimFound(2)).toEqual(expect.arrayContaining([second, third]));
    expect(statusOf(first)).toBe(S.found);
    for (const id of [first, second, third]) life.setListed(id, ATTRIBUTES, 0, false);
    expect(life.claimReady(2)).toEqual([first, second]);
    expect(life.claimReady(9)).toEqual([third]);
    expect(statusOf(root)).toBe(S.ready);
    life.claimRoot();
    expect(directories.get(root)).toMatchObject({ status: S.writing, revision: 0 });
    expect(life.writing(first, 1).map(({ id }) => id)).toEqual([second]);
  });

  it('waits once for linked inodes, also where it was written', () => {
    add(0);
    const [written, waiting] = [add(1, S.written), add(1, S.listing)];
    life.setListed(waiting, ATTRIBUTES, 2, true);
    for (let round = 0; round < 2; round++) for (const id of [written, waiting]) life.awaitLinks(id);
    expect([written, waiting].map(statusOf)).toEqual([S.waiting, S.waiting]);
    life.releaseLinks();
    expect([written, waiting].map(statusOf)).toEqual([S.ready, S.waiting]);
    life.addPending(waiting, -1);
    expect(statusOf(waiting)).toBe(S.ready);
    life.releaseLinks();
    expect(statusOf(waiting)).toBe(S.ready);
  });

  it('waits while its failed entries are looked at again', () => {
    const id = add(0, S.written);
    life.wantLook(id);
    life.wantLook(id);
    expect(statusOf(id)).toBe(S.waiting);
    expect(life.hasUnlisted()).toBe(true);
    expect(life.claimLook(5)).toEqual([id]);
    expect(life.claimLook(5)).toEqual([]);
    life.repeatLook(id);
    expect(life.claimLook(5)).toEqual([id]);
    life.endLook(id);
    expect(statusOf(id)).toBe(S.ready);
    expect(life.hasUnlisted()).toBe(false);
  });

  it('that is given up has neither identity nor object, and is gone at last', () => {
    const id = add(0, S.written, { inode: 7n, bornNs: 8n });
    life.setWritten(id, 1, TALLY);
    life.setLeaving(id);
    expect(statusOf(id)).toBe(S.leaving);
    expect(life.written(id)).toBeUndefined();
    expect(directories.withIdentity(0, { inode: 7n, bornNs: 8n })).toBeUndefined();
    const anew = add(0, S.found, { inode: 7n, bornNs: 8n });
    expect(life.leaving()).toEqual([id]);
    directories.delete(id);
    expect(directories.find(id)).toBeUndefined();
    expect(() => directories.get(id)).toThrow(`The state has no directory ${id}.`);
    expect(directories.get(anew).inode).toBe(7n);
  });

  it('has what it waits for counted anew', () => {
    const root = add(0, S.listing);
    life.setListed(root, ATTRIBUTES, 99, true);
    const chunks = new Chunks(db);
    for (const done of [false, false, true]) {
      const chunk = { directory: root, firstSequence: 1, count: 1, entries: Buffer.alloc(1) };
      chunks.add(chunk, done);
    }
    chunks.settleHidden(root);
    chunks.claim(1);
    add(root, S.found);
    add(root, S.hidden);
    life.recount();
    // Two chunks, a child, links.
    for (let left = 3; left > 0; left--) {
      life.addPending(root, -1);
      expect(statusOf(root)).toBe(S.waiting);
    }
    life.addPending(root, -1);
    expect(statusOf(root)).toBe(S.ready);
    const empty = add(root, S.listing);
    life.setListed(empty, ATTRIBUTES, 5, false);
    life.recount();
    expect(statusOf(empty)).toBe(S.ready);
  });
});

describe('where directories are', () => {
  it('is told by parent and name, those that are hidden or leaving left out', () => {
    const root = add(0);
    const name = Buffer.from([0xff, 0x2f]);
    const child = add(root, S.found, { name, sequence: 77, manager: 9 });
    for (const status of [S.hidden, S.leaving]) add(root, status);
    expect(directories.child(root, name)).toBe(child);
    expect(directories.child(root, Buffer.from('other'))).toBeUndefined();
    expect(directories.children(root, 0, 9)).toEqual([
      { id: child, name: new Uint8Array(name), sequence: 77, manager: 9 },
    ]);
    expect(directories.children(root, child, 9)).toEqual([]);
    expect([directories.countChildren(root), directories.countChildren(child)]).toEqual([1, 0]);
    expect([directories.withSequence(77), directories.withSequence(78)]).toEqual([child, undefined]);
  });

  it('is told by file system, inode number and time of making, where they are known', () => {
    const id = add(0, S.found, { inode: 2n ** 64n - 1n, bornNs: 2n ** 63n, fileSystem: 3 });
    expect(directories.get(id)).toMatchObject({ inode: 2n ** 64n - 1n, bornNs: 2n ** 63n, fileSystem: 3 });
    const at = (inode: bigint, bornNs: bigint, fileSystem = 3) =>
      directories.withIdentity(fileSystem, { inode, bornNs });
    expect([at(2n ** 64n - 1n, 2n ** 63n), at(2n ** 64n - 1n, 0n)]).toEqual([id, id]);
    expect([at(2n ** 64n - 1n, 1n), at(1n, 2n ** 63n), at(2n ** 64n - 1n, 0n, 4)]).toEqual(
      new Array(3).fill(undefined),
    );
    expect(
      directories.add({
        parent: 0,
        name: Buffer.from('x'),
        fileSystem: 3,
        inode: 2n ** 64n - 1n,
        bornNs: 0n,
        sequence: 1,
        manager: 0,
        status: 0,
      }),
    ).toBeUndefined();
    const unknown = add(0, S.found, { inode: 0n });
    expect(add(0, S.found, { inode: 0n })).not.toBe(unknown);
    expect(directories.identify(unknown, 3, { inode: 2n ** 64n - 1n, bornNs: 0n })).toBe(false);
    expect(directories.identify(unknown, 3, { inode: 5n, bornNs: 6n })).toBe(true);
    expect(directories.get(unknown)).toMatchObject({ fileSystem: 3, inode: 5n, bornNs: 6n });
  });

  it('is also how much room their entries take', () => {
    const root = add(0);
    expect(directories.contentBytes(root)).toBe(0);
    add(root, S.found, { name: Buffer.from('four') });
    new Chunks(db).add({ directory: root, firstSequence: 1, count: 2, entries: Buffer.alloc(10) });
    expect(directories.contentBytes(root)).toBe(4 + 30 + 10 + 2 * 28);
  });
});
