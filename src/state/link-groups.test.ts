import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { emptyState } from '../../test/support/empty-state.js';
import type { Database } from '../sqlite/database.js';
import { DroppedLinks } from './dropped-links.js';
import { LinkGroups } from './link-groups.js';
import { countLinkCopies } from './read-job.js';
import { WorkStatus } from './schema.js';

let db: Database;
let groups: LinkGroups;
let dropped: DroppedLinks;
beforeEach(() => {
  db = emptyState();
  groups = new LinkGroups(db);
  dropped = new DroppedLinks(db);
});
afterEach(() => db.close());

const MOST = 3;
const TALLY = Buffer.from('tally');
const WRITTEN = { name: 'blob', generation: 1, blocks: 2, bytes: 3, tally: TALLY };
const AS_READ = { ...WRITTEN, tally: new Uint8Array(TALLY) };
const add = (directory: number, name: string, inode = 7n, hidden = false, type: 1 | 5 = 1) =>
  groups.addLink({ directory, name: Buffer.from(name), fileSystem: 2, inode, type }, hidden, MOST);
const namesOf = (id: number) =>
  groups.links(id).map(({ name, written }) => `${Buffer.from(name).toString()}${written ? ' written' : ''}`);

describe('the names of a linked file', () => {
  it('are gathered by file system, inode number and type', () => {
    const first = add(10, 'a', 2n ** 64n - 1n);
    expect(first).toMatchObject({ isNew: true, isCopy: false });
    expect(first.group).toEqual({
      id: first.group.id,
      fileSystem: 2,
      inode: 2n ** 64n - 1n,
      type: 1,
      sequence: 0,
      manager: 0,
      revision: -1,
      attempts: 0,
      status: WorkStatus.pending,
      written: undefined,
    });
    expect(add(11, 'b', 2n ** 64n - 1n)).toEqual({ group: first.group, isNew: false, isCopy: false });
    expect(add(11, 'c', 2n ** 64n - 1n, false, 5)).toMatchObject({ isNew: true, isCopy: false });
    expect(namesOf(first.group.id)).toEqual(['a', 'b']);
  });

  it('beyond what one inode can have become copies of their own, each', () => {
    const ids = ['a', 'b', 'c'].map((name) => add(10, name).group.id);
    expect(new Set(ids).size).toBe(1);
    const [fourth, fifth] = [add(10, 'd'), add(10, 'e')];
    for (const each of [fourth, fifth]) expect(each).toMatchObject({ isNew: true, isCopy: true });
    expect(new Set([ids[0], fourth.group.id, fifth.group.id]).size).toBe(3);
    expect(countLinkCopies(db)).toBe(0);
    for (const id of [ids[0], fourth.group.id]) groups.setWritten(id, WRITTEN);
    expect(countLinkCopies(db)).toBe(1);
  });

  it('count when the listing of their directory is complete, and are forgotten when it is lost', () => {
    const seen = add(10, 'a').group.id;
    add(11, 'b', 7n, true);
    const other = add(11, 'c', 8n, true).group.id;
    expect([namesOf(seen), namesOf(other)]).toEqual([['a'], []]);
    expect(new Set(groups.reveal(11))).toEqual(new Set([seen, other]));
    expect([namesOf(seen), namesOf(other)]).toEqual([['a', 'b'], ['c']]);
    const lost = add(12, 'd', 9n, true).group.id;
    groups.dropHidden(12);
    groups.dropHidden(12);
    expect(groups.find(lost)).toBeUndefined();
    expect(() => groups.get(lost)).toThrow(`The state has no link group ${lost}.`);
    expect(groups.find(other)).toBeDefined();
  });

  it('are taken away one by one, or with their group', () => {
    const { id } = add(10, 'a').group;
    add(10, 'b');
    groups.deleteLink(groups.links(id)[0].id);
    expect(namesOf(id)).toEqual(['b']);
    groups.delete(id);
    expect([groups.find(id), namesOf(id)]).toEqual([undefined, []]);
  });
});

describe('a linked file', () => {
  it('is claimed, given names that nobody had, and written with all of its names', () => {
    const { id } = add(10, 'a').group;
    const later = add(10, 'z', 8n).group.id;
    expect(groups.hasOpen()).toBe(true);
    expect(groups.claim(1).map((group) => group.id)).toEqual([id]);
    expect(groups.running(0, 9).map((group) => group.id)).toEqual([id]);
    groups.setNames(id, 1234, 5, 6);
    expect(groups.get(id)).toMatchObject({ sequence: 1234, manager: 5, revision: 6, status: WorkStatus.running });
    expect([groups.withSequence(1234)?.id, groups.withSequence(1)]).toEqual([id, undefined]);
    expect(groups.ofDirectory(10, 0, 9)).toEqual([]);
    groups.setWritten(id, WRITTEN);
    expect(groups.get(id)).toMatchObject({ status: WorkStatus.done, written: AS_READ });
    expect(namesOf(id)).toEqual(['a written']);
    const [own] = groups.links(id);
    expect(groups.ofDirectory(10, 0, 9)).toEqual([{ id: own.id, name: own.name, sequence: 1234, type: 1, manager: 5 }]);
    expect(groups.ofDirectory(10, own.id, 9)).toEqual([]);
    expect(groups.running(0, 9)).toEqual([]);
    groups.delete(later);
    expect(groups.hasOpen()).toBe(false);
  });

  it('is tried again, in a session so and so often', () => {
    const { id } = add(10, 'a').group;
    groups.claim(1);
    groups.again(id, 2);
    expect(groups.get(id)).toMatchObject({ status: WorkStatus.pending, attempts: 2 });
    groups.resetAttempts();
    expect(groups.get(id).attempts).toBe(0);
  });

  it('that counts is kept as it is, and names that it has not become a copy', () => {
    const { id } = add(10, 'a').group;
    groups.setWritten(id, WRITTEN);
    add(10, 'b');
    groups.again(id, 0);
    groups.separate(groups.get(id));
    groups.keep(id);
    expect(groups.get(id)).toMatchObject({ status: WorkStatus.done, written: AS_READ });
    expect(namesOf(id)).toEqual(['a written']);
    const [copy] = groups.claim(9);
    expect(copy).toMatchObject({ inode: 7n, fileSystem: 2, type: 1, revision: -1, written: undefined });
    expect(namesOf(copy.id)).toEqual(['b']);
  });

  it('of version 0.1.0 has no bytes and no tally', () => {
    const { id } = add(10, 'a').group;
    db.exec(`UPDATE link_group SET written_name = 'revision 3' WHERE id = ${id}`);
    expect(groups.get(id).written).toEqual({ name: 'revision 3', generation: 0, blocks: 1, bytes: null, tally: null });
  });
});

describe('names whose directory was given up', () => {
  function written(): number {
    const { id } = add(10, 'a').group;
    add(11, 'b');
    groups.setWritten(id, WRITTEN);
    return id;
  }

  it('are none of their group any more, which is written without them', () => {
    const id = written();
    const [link] = dropped.inDirectory(10, 9);
    expect(link).toEqual({ id: link.id, group: id, written: true });
    dropped.drop(link.id, groups.get(id), 'exact name');
    expect(dropped.inDirectory(10, 9)).toEqual([]);
    expect(namesOf(id)).toEqual(['b written']);
    expect(groups.get(id).written).toEqual({ ...AS_READ, name: 'exact name' });
    expect([dropped.groups(0, 9), dropped.groups(id, 9)]).toEqual([[id], []]);
    dropped.claim(id);
    expect(groups.get(id).status).toBe(WorkStatus.running);
    dropped.setRelinked(id, WorkStatus.done, 'new name', Buffer.from('other'));
    expect(groups.get(id)).toMatchObject({
      status: WorkStatus.done,
      written: { name: 'new name', blocks: 2, tally: new Uint8Array(Buffer.from('other')) },
    });
    expect(dropped.groups(0, 9)).toEqual([]);
  });

  it('that the inode has not yet are told apart', () => {
    add(10, 'a');
    add(10, 'hidden', 8n, true);
    expect(dropped.inDirectory(10, 9).map((link) => link.written)).toEqual([false]);
  });

  it('are forgotten, or nothing of the file counts any more', () => {
    const id = written();
    for (const directory of [10, 11])
      for (const link of dropped.inDirectory(directory, 9)) dropped.drop(link.id, groups.get(id), 'exact name');
    dropped.forget(id);
    expect(dropped.groups(0, 9)).toEqual([]);
    dropped.unwrite(id);
    expect(groups.get(id)).toMatchObject({ status: WorkStatus.pending, attempts: 0, written: undefined });
    expect(namesOf(id)).toEqual([]);
  });

  it('of a group of which no tally is known keep it so', () => {
    const id = written();
    db.exec('UPDATE link_group SET tally = NULL');
    dropped.drop(dropped.inDirectory(10, 9)[0].id, groups.get(id), 'exact name');
    expect(groups.get(id).written?.tally).toBeNull();
    dropped.drop(dropped.inDirectory(11, 9)[0].id, { ...groups.get(id), written: undefined }, 'exact name');
    expect(groups.get(id).written?.tally).toBeNull();
  });
});
