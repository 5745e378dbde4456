import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { RECORD } from '../../test/support/empty-state.js';
import { refusal } from '../../test/support/samples.js';
import { BitSet } from '../books/bit-set.js';
import { Tally } from '../books/tally.js';
import { openDatabase } from '../sqlite/database.js';
import { EXPORT_APPLICATION } from './application.js';
import { decodeRecord } from './job-record.js';
import { JobState } from './job-state.js';
import { migrate, SCHEMA_VERSION } from './migrations.js';
import { readJob } from './read-job.js';
import { DirectoryStatus } from './schema.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-state-unit-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let count = 0;
const place = () => join(base, `${count++}`);
const create = (path: string, record = RECORD) => JobState.create(path, record, 1001, 'DELETE');

describe('the state of a job', () => {
  it('keeps numbers, counters, record and tally, and undoes them together', () => {
    const path = place();
    const state = create(path);
    const objects = new Tally();
    objects.add(1, 'a blob', 5);
    const undone: string[] = [];
    state.beforeCommit(
      () => undefined,
      () => undone.push('undone'),
    );
    state.transact(() => {
      expect([state.takeSequences(5), state.takeSequences(1)]).toEqual([1001, 1006]);
      expect([1, 2, 3].map(() => state.takeManager(3))).toEqual([1, 2, 0]);
      state.count(2, 30);
      state.countExcluded(4);
      state.update({ sessions: 2 });
      state.addObjects(objects);
    });
    expect(() =>
      state.transact(() => {
        state.takeSequences(100);
        state.takeManager(3);
        state.count(1, 1);
        state.update({ sessions: 99 });
        state.removeObjects(objects);
        throw new Error('no');
      }),
    ).toThrow('no');
    expect(undone).toEqual(['undone']);
    const look = (each: JobState) => {
      expect(each.counters).toEqual({ done: 2, bytes: 30, excluded: 4 });
      expect(each.record.sessions).toBe(2);
      expect(each.tally.isEmpty).toBe(false);
      each.transact(() => expect([each.takeSequences(0), each.takeManager(3)]).toEqual([1007, 1]));
    };
    look(state);
    state.close();
    const again = JobState.open(path, 'DELETE');
    expect(again.aliveMs).toBeGreaterThan(0);
    again.transact(() => again.removeObjects(objects));
    expect(again.tally.isEmpty).toBe(true);
    again.close();
  });

  it('has one writer: of two, the one that comes later records nothing', () => {
    for (const journal of ['DELETE', 'WAL'] as const) {
      const path = place();
      JobState.create(path, RECORD, 1001, journal).close();
      const late = JobState.open(path, journal);
      late.transact(() => late.count(1, 1));
      // What it did before somebody went on, and what it does after.
      const other = JobState.open(path, journal);
      other.transact(() => other.update({ sessions: other.record.sessions + 1 }));
      for (let tries = 0; tries < 2; tries++)
        expect(refusal(() => late.transact(() => late.count(100, 100)))).toMatch(
          /^state-busy: Another process goes on with this job/,
        );
      expect(late.counters.done).toBe(1);
      other.transact(() => other.count(1, 1));
      expect(other.counters.done).toBe(2);
      // One that failed has not changed who the writer is.
      expect(() => other.transact(() => JSON.parse('{'))).toThrow();
      other.transact(() => other.count(1, 1));
      for (const each of [late, other]) each.close();
    }
  });

  it('takes nothing off the books of a job that has none', () => {
    const state = create(place(), { ...RECORD, books: false });
    const objects = new Tally();
    objects.add(1, 'a blob', 5);
    state.transact(() => state.removeObjects(objects));
    expect(state.tally.isEmpty).toBe(true);
    state.close();
  });

  it('numbers file systems, and finds them again by where they are mounted', () => {
    const path = place();
    const state = create(path);
    state.transact(() => {
      expect(['8:1', '8:2', '8:1'].map((device) => state.fileSystemOf(device))).toEqual([0, 1, 0]);
      const own = { bornNs: 0n, sequence: 1, manager: 0 };
      const add = (parent: number, fileSystem: number, inode: bigint, status: number = DirectoryStatus.found) =>
        state.directories.add({ ...own, parent, name: Buffer.from('x'), fileSystem, inode, status });
      add(0, 0, 1n);
      add(1, 1, 2n);
      add(2, 1, 3n);
      add(1, 1, 4n, DirectoryStatus.leaving);
    });
    expect([state.deviceOf(1), state.deviceOf(2)]).toEqual(['8:2', undefined]);
    expect([state.fileSystemIn('8:2'), state.fileSystemIn('8:3')]).toEqual([1, undefined]);
    expect(state.mountPoints().map((each) => ({ ...each }))).toEqual([{ fileSystem: 1, directory: 2 }]);
    state.close();
    const again = JobState.open(path, 'DELETE');
    expect(again.deviceOf(1)).toBeUndefined();
    again.bindFileSystem(1, '9:9');
    again.transact(() => expect(['9:9', '9:8'].map((device) => again.fileSystemOf(device))).toEqual([1, 2]));
    again.close();
  });

  it('is told to who looks from outside', () => {
    const path = place();
    const state = create(path);
    state.transact(() => {
      state.count(3, 40);
      state.chunks.add({ directory: 1, firstSequence: 1, count: 6, entries: Buffer.alloc(1) });
      for (const name of ['a', 'b'])
        state.failures.put({
          directory: 1,
          name: Buffer.from(name),
          type: 1,
          reason: 'r',
          message: '',
          attempts: 1,
          timeMs: 0,
          further: true,
        });
    });
    expect([state.openEntries(), state.linkCopies()]).toEqual([6, 0]);
    const db = openDatabase(path, true);
    // Further names of which the first one is no failure any more count once.
    expect(readJob(db, path)).toMatchObject({
      record: { spec: RECORD.spec, sessions: 1 },
      done: 3,
      bytes: 40,
      excluded: 0,
      aliveMs: state.aliveMs,
      failures: state.failures.count(),
      open: 6,
      linkCopies: 0,
    });
    // What of a chunk is done, while others of it are not, is not left.
    state.transact(() => {
      const [chunk] = state.chunks.claim(1);
      const acknowledged = new BitSet(chunk.count);
      for (const index of [0, 5]) acknowledged.add(index);
      state.chunks.acknowledge(chunk.id, acknowledged);
    });
    expect([readJob(db, path).open, state.openEntries()]).toEqual([4, 4]);
    expect(state.failures.count()).toBe(1);
    db.close();
    state.close();
  });

  it('is refused where it cannot be used, with the way out', () => {
    const wayOut = 'Start a new job with another --state-path and an empty container.';
    const broken = (change: (path: string) => void) => {
      const path = place();
      create(path).close();
      change(path);
      return { path: JSON.stringify(path), text: refusal(() => JobState.open(path, 'DELETE').close()) };
    };
    const execute = (sql: string) => (path: string) => {
      const db = openDatabase(path);
      db.exec(sql);
      db.close();
    };
    const noDatabase = broken((path) => writeFileSync(path, 'this is no database, and never was one'.repeat(40)));
    expect(noDatabase.text).toBe(
      `state: Cannot use the job state ${noDatabase.path}: it is not a database, or is damaged. ${wayOut}`,
    );
    const nothing = broken(execute('PRAGMA user_version = 0'));
    expect(nothing.text).toBe(
      `state: The job state ${nothing.path} holds no job. Start one without --new-session=false.`,
    );
    const other = broken(execute(`PRAGMA application_id = ${EXPORT_APPLICATION}`));
    expect(other.text).toBe(
      `state: The job state ${other.path} is that of an export, not of a load. Go on with it by "clfsload resume", or name another --state-path.`,
    );
    const newer = broken(execute(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`));
    expect(newer.text).toBe(
      `state: The job state ${newer.path} is of version ${SCHEMA_VERSION + 1}; this program uses version ${SCHEMA_VERSION}. Go on with the version of clfsload that began it.`,
    );
    const twoJobs =
      'PRAGMA ignore_check_constraints = 1; INSERT INTO job SELECT 2, record, 1, 1, 0, 0, 0, 0, NULL FROM job';
    const damaged = broken(execute(twoJobs));
    expect(damaged.text).toMatch(
      /^state: The job state .* is damaged: CHECK constraint failed in job\. Start a new job/,
    );
    const without = place();
    create(without).close();
    execute('DROP TABLE failure')(without);
    const db = openDatabase(without);
    expect(refusal(() => readJob(db, without))).toBe(
      `state: Cannot read the job state ${JSON.stringify(without)}: no such table: failure.`,
    );
    db.close();
  });

  it('of a step of a migration that fails is as it was', () => {
    const path = place();
    create(path).close();
    const db = openDatabase(path);
    // The step to version 4 adds a column that is there.
    db.exec('PRAGMA user_version = 3');
    expect(() => migrate(db)).toThrow(/duplicate column/);
    expect(db.isTransaction).toBe(false);
    expect({ ...db.prepare('PRAGMA user_version').get() }).toEqual({ user_version: 3 });
    db.close();
  });
});

describe('the record of a job', () => {
  it('of version 0.1.0 has its spec put together', () => {
    const { spec, settings: _settings, settled: _settled, ...rest } = RECORD;
    const { sourceHex, container, preserveHardLinks, selection } = spec;
    const old = { ...rest, sourceHex, container, preserveHardLinks, selection };
    expect(decodeRecord(JSON.stringify({ ...old, compress: true }))).toMatchObject({
      spec,
      settings: {},
      settled: false,
    });
    const disabled = decodeRecord(JSON.stringify({ ...old, compress: false, manifestBytes: 5 }));
    expect(disabled.spec).toEqual({ ...spec, compression: 'DISABLED', manifest: '' });
  });

  it('keeps where the source is, but not in the form of a program that was never released', () => {
    const sourcePlace = { root: { source: 'x' }, mounts: {} };
    expect(decodeRecord(JSON.stringify({ ...RECORD, sourcePlace })).sourcePlace).toEqual(sourcePlace);
    expect(decodeRecord(JSON.stringify({ ...RECORD, sourcePlace: { root: 'x' } })).sourcePlace).toBeUndefined();
  });
});
