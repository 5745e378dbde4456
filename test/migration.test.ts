import { appendFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { RangeSet } from '../src/books/range-set.js';
import type { MemoryContainer } from '../src/container/memory-container.js';
import { exportJob } from '../src/export/export-job.js';
import type { Timestamp } from '../src/format/attributes.js';
import { ObjectType } from '../src/format/ids.js';
import { decodeObjectName } from '../src/format/names.js';
import { load } from '../src/load/load.js';
import type { LoadSummary } from '../src/load/options.js';
import { openDatabase } from '../src/sqlite/database.js';
import type { JobRecord } from '../src/state/job-record.js';
import { readPulse, readSeries } from '../src/state/job-series.js';
import { escapePath } from '../src/text/escape-path.js';
import { differencesOf, expectFaithful, findingsOf, SMALL } from './support/check.js';
import { makeOldTree, rebind, unpackOldState, withChangeTimes } from './support/old-state.js';
import { isRoot, removeTree, someBytes } from './support/tree.js';
import { Job, makeBase } from './support/whole-job.js';

const base = makeBase('migration');
afterAll(() => removeTree(base));
let count = 0;

/**
 * States that version 0.1.0 left, with what was in the container; SMALL geometry, hard links preserved.
 *
 * mid-transfer  killed: a running chunk, done ones, a large file half sent, a directory in writing, a hidden listing, left-overs
 * with-errors   ended `CompletedWithErrors`: an unreadable file, a failed linked file, a failed directory
 * repair-begun  the same, killed when its repair had begun and the linked file was under way
 * beside-files  ended `CompletedWithErrors`: a linked file failed, and of its directories, which are written, nothing else is recorded
 * suspect       stopped with chunks pending that a killed session may have sent in part
 */
const STATES = {
  'mid-transfer': { compression: 'DISABLED' },
  'with-errors': { compression: 'LZ4' },
  'repair-begun': { compression: 'LZ4' },
  'beside-files': { compression: 'LZ4' },
  suspect: { compression: 'LZ4' },
} as const;
type OldState = keyof typeof STATES;

interface OldJob {
  readonly name: OldState;
  readonly source: string;
  readonly statePath: string;
  readonly store: MemoryContainer;
  /** Recorded of large files that are half sent. */
  readonly changeTimes: ReadonlyMap<string, Timestamp>;
}

function unpack(name: OldState): OldJob {
  const place = join(base, `${name}-${count++}`);
  const store = unpackOldState(name, place);
  const source = join(place, 'source');
  const statePath = join(place, 'state');
  makeOldTree(source);
  const changeTimes = rebind(join(statePath, 'job.db'), source);
  return { name, source, statePath, store, changeTimes };
}

/** @param changeTimes those that the source shows */
function resume(
  { name, source, statePath, store }: OldJob,
  changeTimes: ReadonlyMap<string, Timestamp>,
): Promise<LoadSummary> {
  return load({
    source,
    destination: '/unused',
    statePath,
    newSession: false,
    preserveHardLinks: true,
    compression: STATES[name].compression,
    internals: { container: store, geometry: SMALL, wrapSource: (tree) => withChangeTimes(tree, changeTimes) },
  });
}

async function expectWhole({ source, store }: OldJob): Promise<void> {
  const findings = await findingsOf(store, SMALL);
  expect(findings.filter(({ code }) => code !== 'symlink-target')).toEqual([]);
  // The states were made by root; another user's tree has other owners.
  const owner = /^[ug]id /;
  const lines = (await differencesOf(source, store, SMALL))
    .map((line) => ({ ...line, details: isRoot ? line.details : line.details.filter((detail) => !owner.test(detail)) }))
    .filter(({ mark, details }) => mark !== '*' || details.length > 0);
  expect(lines.map(({ mark, path, details }) => `${mark} ${escapePath(path)} ${details.join(', ')}`)).toEqual([]);
}

/** What the summary says of a job that has no sums from its beginning. */
function expectListingNotChecked(summary: LoadSummary): void {
  expect(summary.listing).toBe('not checked: the job was begun by version 0.1.0, which kept no tally');
}

describe.each(Object.keys(STATES) as OldState[])('a state of version 0.1.0: %s', (name) => {
  it('is brought up and finished', async () => {
    const job = unpack(name);
    const summary = await resume(job, job.changeTimes);
    expect(summary.error).toBeUndefined();
    expect(summary.status).toBe('Completed');
    expect(summary.progress.filesFailed).toBe(0);
    expectListingNotChecked(summary);
    await expectWhole(job);
    expect(existsSync(join(job.statePath, 'problems.txt'))).toBe(false);
    // Once it is finished it stays so.
    expect((await resume(job, job.changeTimes)).status).toBe('Completed');
    await expectWhole(job);
  });
});

it('a state of version 0.1.0 with a large file half sent, which has changed since, is finished with the file as it is now', async () => {
  const job = unpack('mid-transfer');
  appendFileSync(join(job.source, 'large', 'half-sent'), 'one line more');
  const summary = await resume(job, new Map());
  expect(summary.error).toBeUndefined();
  expect(summary.status).toBe('Completed');
  expectListingNotChecked(summary);
  await expectWhole(job);
});

describe('a state of version 2', () => {
  it('is brought up: a large file goes on where it was, and what the job is told stays', async () => {
    const job = new Job(base, { preserveHardLinks: true, compression: 'DISABLED' });
    job.file('large', someBytes(30 * SMALL.fileSegmentBytes, 1));
    job.file('d/a', 'linked');
    job.link('d/a', 'd/b');
    let segments = 0;
    job.world.onPut = (name) =>
      decodeObjectName(name)?.type === ObjectType.segment && ++segments === 9 ? 'killed after' : undefined;
    await job.session({}, { maxErrors: 7 }).catch(() => undefined);
    expect(segments).toBe(9);
    const done = downgrade(join(job.statePath, 'job.db'));
    expect(done).toBeGreaterThan(0);
    segments = 0;
    job.world.onPut = (name) => {
      if (decodeObjectName(name)?.type === ObjectType.segment) segments++;
      return undefined;
    };
    const second = await job.session({}, { source: undefined, destination: undefined });
    expect(second.error).toBeUndefined();
    expect(second.status).toBe('Completed');
    expect(segments).toBeLessThanOrEqual(30 - done);
    await expectFaithful(job.source, job.world.store, SMALL);
  });
});

describe('a state without its past', () => {
  const withoutPast = (path: string, version: number, more = '') => {
    const db = openDatabase(path);
    db.exec(`DROP TABLE series; DROP TABLE pulse; ${more} PRAGMA user_version = ${version}`);
    db.close();
  };
  const pastOf = (path: string) => {
    const db = openDatabase(path, true);
    try {
      return { rows: readSeries(db), pulse: readPulse(db) };
    } finally {
      db.close();
    }
  };

  it('of a load, of version 4, has one from the next session on', async () => {
    const job = new Job(base, { compression: 'DISABLED' });
    for (const name of ['a', 'b', 'd/c']) job.file(name);
    job.world.onPut = (name) => (decodeObjectName(name)?.type === ObjectType.regular ? 'killed after' : undefined);
    await job.session().catch(() => undefined);
    const path = join(job.statePath, 'job.db');
    withoutPast(path, 4, 'ALTER TABLE directory DROP COLUMN entry_tally;');
    job.world.onPut = () => undefined;
    expect((await job.session({}, { source: undefined, destination: undefined })).status).toBe('Completed');
    const { rows, pulse } = pastOf(path);
    expect(rows.every(({ session }) => session === 2)).toBe(true);
    expect(pulse?.phase).toBe('Done');
    expect(pulse?.census.types[ObjectType.regular]).toBe(3);
    await expectFaithful(job.source, job.world.store, SMALL);
  });

  it('of an export, of version 1, has one from the next session on', async () => {
    const source = new Job(base, { compression: 'DISABLED' });
    for (let at = 0; at < 20; at++) source.file(`d/file-${at}`);
    await source.session();
    const statePath = join(base, 'export-state');
    const target = join(base, 'exported');
    const container = source.world.store;
    const options = { container: '/unused', target, statePath, internals: { container, geometry: SMALL } };
    // Stopped as soon as it has begun.
    const stop = new AbortController();
    const first = await exportJob({ ...options, signal: stop.signal, onStart: () => stop.abort() });
    expect(first.status).toBe('Cancelled');
    const path = join(statePath, 'job.db');
    // Nor had it what workers may have left, what must be there, and a listing by which the container is known.
    withoutPast(
      path,
      1,
      "DROP TABLE leftover; ALTER TABLE directory DROP COLUMN filled; UPDATE job SET record = json_remove(record, '$.listing');",
    );
    const second = await exportJob({ ...options, newSession: false });
    expect(second.status).toBe('Completed');
    const { rows, pulse } = pastOf(path);
    expect(rows.every(({ session }) => session === 2)).toBe(true);
    expect(pulse).toMatchObject({ phase: 'Done', total: 22 });
    expect(pulse?.census.types[ObjectType.regular]).toBe(20);
  });
});

/**
 * Makes of a database what the program wrote before version 3 of the tables. @returns blocks of a large file that are
 * done, from the first on
 */
function downgrade(path: string): number {
  const db = openDatabase(path);
  const row = db.prepare('SELECT id, done FROM large').get() as { id: number; done: Uint8Array | null };
  const done = RangeSet.decode(row.done);
  let blocks = 0;
  while (done.has(blocks + 1)) blocks++;
  const { record } = db.prepare('SELECT record FROM job').get() as { record: string };
  const { spec, settings, ...rest } = JSON.parse(record) as JobRecord;
  const { sourceHex, container, compression, preserveHardLinks, selection } = spec;
  const before = { ...rest, sourceHex, container, compress: compression === 'LZ4', preserveHardLinks, selection };
  expect(settings).toBeDefined();
  db.exec(`
    DROP TABLE series;
    DROP TABLE pulse;
    DROP INDEX directory_identity;
    ALTER TABLE directory DROP COLUMN born;
    ALTER TABLE directory DROP COLUMN entry_tally;
    CREATE UNIQUE INDEX directory_identity ON directory (file_system, inode) WHERE inode <> x'0000000000000000';
    ALTER TABLE link_group DROP COLUMN written_bytes;
    ALTER TABLE large DROP COLUMN done;
    ALTER TABLE large ADD COLUMN done_blocks INTEGER NOT NULL DEFAULT 0;
    UPDATE large SET done_blocks = ${blocks};
    PRAGMA user_version = 2;`);
  db.prepare('UPDATE job SET record = ?').run(JSON.stringify(before));
  db.close();
  return blocks;
}
