import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { emptyState } from '../../test/support/empty-state.js';
import { BitSet } from '../books/bit-set.js';
import { RangeSet } from '../books/range-set.js';
import type { Database } from '../sqlite/database.js';
import { Chunks } from './chunks.js';
import { Failures } from './failures.js';
import { LargeFiles } from './large-files.js';
import { type Leftover, Leftovers } from './leftovers.js';
import { RootSeals } from './root-seal.js';

let db: Database;
beforeEach(() => {
  db = emptyState();
});
afterEach(() => db.close());
const bytes = (text: string) => new Uint8Array(Buffer.from(text));

describe('a chunk', () => {
  const chunk = (directory: number, firstSequence: number, count = 4) => ({
    directory,
    firstSequence,
    count,
    entries: bytes('e'),
  });

  it('is hidden until its listing is complete, claimed once, acknowledged in parts, and finished', () => {
    const chunks = new Chunks(db);
    chunks.add(chunk(1, 100), true);
    expect([chunks.backlogEntries(), chunks.claim(9)]).toEqual([0, []]);
    chunks.reveal(1);
    expect(chunks.backlogEntries()).toBe(4);
    const [claimed] = chunks.claim(9);
    expect(claimed).toEqual({ id: 1, ...chunk(1, 100), attempts: 0 });
    expect([chunks.backlogEntries(), chunks.claim(9)]).toEqual([0, []]);
    const acknowledged = new BitSet(4);
    acknowledged.add(2);
    chunks.acknowledge(1, acknowledged);
    const [open] = chunks.running(0, 9);
    expect([0, 1, 2, 3].map((at) => open.acknowledged.has(at))).toEqual([false, false, true, false]);
    expect(chunks.get(1)).toEqual(open);
    const leftOut = new BitSet(4);
    leftOut.add(0);
    chunks.finish(1, leftOut);
    expect(chunks.running(0, 9)).toEqual([]);
    chunks.leaveOut(1, 3);
    const [{ leftOut: bits, ...entries }] = chunks.ofDirectory(1, 0, 9);
    expect(entries).toEqual({ id: 1, firstSequence: 100, entries: bytes('e') });
    expect([...(bits ?? [])]).toEqual([0b1001]);
    expect([100, 101, 102, 103, 104, 99].map((sequence) => chunks.counts(1, sequence))).toEqual([
      false,
      true,
      true,
      false,
      false,
      false,
    ]);
    expect([chunks.counts(undefined, 101), chunks.counts(2, 101), chunks.counts(undefined, 103)]).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('has all of its entries in its directory unless they are left out', () => {
    const chunks = new Chunks(db);
    chunks.add(chunk(1, 100), true);
    chunks.settleHidden(2);
    expect(chunks.running(0, 9)).toEqual([]);
    chunks.settleHidden(1);
    chunks.dropHidden(1);
    expect(chunks.backlogEntries()).toBe(0);
    expect(chunks.ofDirectory(1, 0, 9)[0].leftOut).toBeUndefined();
    expect([chunks.counts(1, 100), chunks.counts(undefined, 103)]).toEqual([true, true]);
  });

  it('is forgotten by itself, with its directory, or where nobody has claimed it', () => {
    const chunks = new Chunks(db);
    for (const first of [100, 200, 300]) chunks.add({ ...chunk(1, first), attempts: 2 });
    chunks.add(chunk(1, 400), true);
    chunks.dropHidden(1);
    chunks.claim(1);
    chunks.dropPending(1);
    expect(chunks.ofDirectory(1, 0, 9).map(({ id }) => id)).toEqual([1]);
    expect(chunks.get(1).attempts).toBe(2);
    chunks.resetAttempts();
    expect(chunks.get(1).attempts).toBe(0);
    expect(chunks.hasRows(1)).toBe(true);
    chunks.delete(1);
    expect(chunks.hasRows(1)).toBe(false);
    chunks.add(chunk(1, 500));
    chunks.drop(1);
    expect(chunks.hasRows(1)).toBe(false);
    expect(() => chunks.get(7)).toThrow('The state has no chunk 7.');
    expect(() => chunks.leaveOut(7, 0)).toThrow('The state has no chunk 7.');
  });
});

describe('a large file', () => {
  const FILE = {
    directory: 1,
    sourceName: bytes('name'),
    sequence: 9,
    generation: 2,
    attempts: 1,
    attributes: bytes('a'),
    blocks: 40,
  };

  it('is of an entry of a chunk, or of a group of links', () => {
    const large = new LargeFiles(db);
    const entry = large.add({ ...FILE, origin: { chunk: 3, entry: 0 } });
    expect(entry).toEqual({
      id: 1,
      ...FILE,
      origin: { chunk: 3, entry: 0 },
      done: RangeSet.decode(null),
      boundBlocks: 0,
      tally: null,
    });
    const linked = large.add({ ...FILE, directory: 2, sequence: 10, origin: { group: 5 } });
    expect(linked.origin).toEqual({ group: 5 });
    expect([large.ofGroup(5)?.id, large.ofGroup(6)]).toEqual([2, undefined]);
    expect([large.ofDirectory(1), large.ofDirectory(3)]).toEqual([[entry], []]);
    expect([large.list(0, 9).length, large.list(1, 9)]).toEqual([2, [linked]]);
    expect([large.hasSequence(10), large.hasSequence(11)]).toEqual([true, false]);
  });

  it('keeps which blocks are done and which may have been put, and is gone when it ends', () => {
    const large = new LargeFiles(db);
    large.add({ ...FILE, origin: { group: 5 } });
    large.setBound(1, 8);
    large.setDone(1, RangeSet.of(1, 5), bytes('t'));
    expect(large.get(1)).toMatchObject({ boundBlocks: 8, tally: bytes('t') });
    expect(large.get(1).done).toEqual(RangeSet.of(1, 5));
    large.delete(1);
    expect(() => large.get(1)).toThrow('The state has no large file 1.');
  });
});

describe('a left-over', () => {
  const LEFTOVER = { handle: bytes('handle'), sequence: 1, version: 9, generation: 2, segments: 3, indirectBlocks: 4 };
  const each: Leftover[] = [
    { ...LEFTOVER, owner: { kind: 'entry', directory: 5 } },
    { ...LEFTOVER, version: undefined, owner: { kind: 'directory', directory: 6 } },
    { ...LEFTOVER, owner: { kind: 'group', group: 7, directory: 8 } },
  ];

  it('is one of an entry, a directory or a group, and is listed until it is removed or refused', () => {
    const leftovers = new Leftovers(db);
    expect(leftovers.hasAny()).toBe(false);
    for (const leftover of each) leftovers.add(leftover);
    expect(leftovers.list(0, 9)).toEqual(each.map((leftover, at) => ({ id: at + 1, old: false, leftover })));
    expect(leftovers.list(1, 1).map(({ id }) => id)).toEqual([2]);
    leftovers.drop(2);
    leftovers.refuse(1, 'it counts');
    leftovers.refuse(3, 'it counts too');
    expect([leftovers.hasAny(), leftovers.list(0, 9)]).toEqual([false, []]);
    expect([leftovers.refused(9), leftovers.refused(1)]).toEqual([['it counts', 'it counts too'], ['it counts']]);
  });

  it('of version 0.1.0 is a name, or the segments of a handle', () => {
    const leftovers = new Leftovers(db);
    db.exec(`INSERT INTO leftover (kind, name) VALUES ('old', 'blob')`);
    db.exec(
      `INSERT INTO leftover (kind, handle, sequence, generation, segments, indirect_blocks) VALUES ('old', x'01', 1, 2, 3, 4)`,
    );
    const none = { sequence: 0, generation: 0, segments: 0, indirectBlocks: 0 };
    expect(leftovers.list(0, 9).map(({ leftover, old }) => ({ ...leftover, old }))).toEqual([
      { ...none, name: 'blob', handle: undefined, old: true },
      {
        sequence: 1,
        generation: 2,
        segments: 3,
        indirectBlocks: 4,
        name: undefined,
        handle: new Uint8Array([1]),
        old: true,
      },
    ]);
  });
});

describe('the seal of the root', () => {
  it('is put once, read again, and dropped', () => {
    const seals = new RootSeals(db);
    const seal = { revision: 1, name: 'blob', body: bytes('b'), blocks: 2, tally: bytes('t') };
    expect(seals.get()).toBeUndefined();
    seals.put(seal);
    expect({ ...seals.get() }).toEqual(seal);
    expect(() => seals.put(seal)).toThrow(/UNIQUE/);
    seals.drop();
    expect(seals.get()).toBeUndefined();
  });
});

describe('a failure', () => {
  const put = (failures: Failures, directory: number, name: string, change = {}) =>
    failures.put({
      directory,
      name: Buffer.from(name),
      type: 1,
      reason: 'entry-unreadable',
      message: 'no',
      attempts: 1,
      timeMs: 5,
      further: false,
      ...change,
    });

  it('is of the latest attempt, and counts the others', () => {
    const failures = new Failures(db);
    put(failures, 1, 'a');
    put(failures, 1, 'a', {
      type: 5,
      reason: 'entry-vanished',
      message: 'gone',
      attempts: 2,
      timeMs: 6,
      further: true,
    });
    expect(failures.list(0, 9)).toEqual([
      {
        id: 1,
        directory: 1,
        name: bytes('a'),
        type: 5,
        reason: 'entry-vanished',
        message: 'gone',
        attempts: 3,
        timeMs: 6,
        further: true,
      },
    ]);
    expect([failures.has(1, bytes('a')), failures.has(1, bytes('b')), failures.has(2, bytes('a'))]).toEqual([
      true,
      false,
      false,
    ]);
    expect([failures.inDirectory(1), failures.inDirectory(2)]).toEqual([true, false]);
    expect(failures.withReason('entry-vanished', 0, 9)).toHaveLength(1);
    expect([failures.withReason('entry-unreadable', 0, 9), failures.withReason('entry-vanished', 1, 9)]).toEqual([
      [],
      [],
    ]);
  });

  it('is looked at again: gone when it does not fail again, and never lost before', () => {
    const failures = new Failures(db);
    for (const [directory, name] of [
      [1, 'a'],
      [1, 'b'],
      [2, 'c'],
    ] as const)
      put(failures, directory, name);
    expect(failures.wantedDirectories(0, 9)).toEqual([]);
    failures.setWanted();
    expect([failures.wantedDirectories(0, 9), failures.wantedDirectories(1, 9), failures.directories(0, 1)]).toEqual([
      [1, 2],
      [2],
      [1],
    ]);
    expect(failures.wanted(1, 9).map(({ id }) => id)).toEqual([1, 2]);
    failures.setUnderWay(1);
    expect(failures.wanted(1, 9).map(({ id }) => id)).toEqual([2]);
    expect(failures.list(0, 9).map(({ id }) => id)).toEqual([2, 3]);
    put(failures, 1, 'b');
    failures.dropResolved();
    expect(failures.list(0, 9).map(({ name }) => Buffer.from(name).toString())).toEqual(['b']);
    failures.removeIn(1);
    expect(failures.list(0, 9)).toEqual([]);
  });
});
