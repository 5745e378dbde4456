import { spawn } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { RECORD } from '../../test/support/empty-state.js';
import { refusal } from '../../test/support/samples.js';
import { exportStateOf } from '../export/resumed-export.js';
import { jobStatus } from '../load/job-status.js';
import { openDatabase } from '../sqlite/database.js';
import { JobState } from './job-state.js';
import { openForLook } from './open-for-look.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-look-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let count = 0;
function withJob(journal: 'WAL' | 'DELETE'): string {
  const path = join(base, `${count++}`);
  mkdirSync(path);
  JobState.create(join(path, 'job.db'), RECORD, 1001, journal).close();
  return path;
}

/** Leaves a state as a process does that has come to its end. */
function endedJob(journal: 'WAL' | 'DELETE'): string {
  const path = withJob(journal);
  const db = openDatabase(join(path, 'job.db'));
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  const ended = `${path}-ended`;
  mkdirSync(ended);
  cpSync(join(path, 'job.db'), join(ended, 'job.db'));
  db.close();
  return ended;
}

/** Leaves a state as a process does that is killed in the middle of a transaction. @returns the state directory */
function killedWithin(journal: 'WAL' | 'DELETE'): string {
  const path = withJob(journal);
  const db = openDatabase(join(path, 'job.db'));
  // A cache that is too small for the transaction: half of it is in the file already.
  db.exec('PRAGMA cache_size = 1; BEGIN; UPDATE job SET done = 777');
  db.exec(
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 500) INSERT INTO failure SELECT x, 1, randomblob(400), 1, 'reason', 'message', 1, 1, 0, 0 FROM n",
  );
  const killed = `${path}-killed`;
  cpSync(path, killed, { recursive: true });
  db.exec('ROLLBACK');
  db.close();
  return killed;
}

describe('a look at a job', () => {
  it('undoes what a killed process had half written, and takes the job for no damaged one', async () => {
    const path = killedWithin('DELETE');
    expect(readdirSync(path)).toEqual(['job.db', 'job.db-journal']);
    expect(jobStatus(path)).toMatchObject({ state: 'stopped', entriesDone: 0, entriesFailed: 0 });
    expect(readdirSync(path)).toEqual(['job.db']);
    expect(await exportStateOf(path)).toBeUndefined();
  });

  it('sees what is committed in a write-ahead log, and leaves its files as they are', () => {
    const path = killedWithin('WAL');
    const files = readdirSync(path);
    expect(files).toContain('job.db-wal');
    expect(jobStatus(path)).toMatchObject({ entriesDone: 0 });
    expect(readdirSync(path)).toEqual(files);
  });

  it('says what to do where it may not undo what is half written', () => {
    const path = killedWithin('DELETE');
    rmSync(join(path, 'job.db'));
    mkdirSync(join(path, 'job.db'));
    expect(refusal(() => openForLook(join(path, 'job.db'), false))).toMatch(
      /^state: Cannot look at the job state ".*job\.db": its process was killed while it wrote there, and that cannot be undone from here: .*\. The job is whole: look at it as the user who ran it, or go on with it\.$/,
    );
  });

  it.each(['WAL', 'DELETE'] as const)('puts no file beside a state that its session has just left (%s)', (journal) => {
    const path = endedJob(journal);
    // The session was seen to run, and has ended since.
    const db = openForLook(join(path, 'job.db'), true);
    expect(db.prepare('SELECT done FROM job').get()).toEqual({ done: 0 });
    expect(readdirSync(path)).toEqual(['job.db']);
    db.close();
    expect(readdirSync(path)).toEqual(['job.db']);
  });

  it('makes no database where one has gone', () => {
    const path = withJob('DELETE');
    rmSync(join(path, 'job.db'));
    for (const running of [true, false])
      expect(refusal(() => openForLook(join(path, 'job.db'), running))).toMatch(/^state: Cannot read the job state /);
    expect(readdirSync(path)).toEqual([]);
  });

  it('that takes long makes no commit fail where there is no write-ahead log', async () => {
    const path = withJob('DELETE');
    chmodSync(path, 0o755);
    const looking = `
      const db = new (require('@photostructure/sqlite').DatabaseSync)(process.argv[1], { readOnly: true });
      const rows = db.prepare('SELECT name FROM sqlite_schema').iterate();
      rows.next();
      console.log('looking');
      setTimeout(() => process.exit(), 6000);`;
    const child = spawn(process.execPath, ['-e', looking, join(path, 'job.db')], {
      stdio: ['ignore', 'pipe', 'inherit'],
      cwd: new URL('../..', import.meta.url).pathname,
    });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const state = JobState.open(join(path, 'job.db'), 'DELETE');
    const begun = performance.now();
    state.transact(() => state.update({ permille: 500 }));
    // It was there while the commit was wanted.
    expect(performance.now() - begun).toBeGreaterThan(4500);
    expect(state.record.permille).toBe(500);
    state.close();
    expect(existsSync(join(path, 'job.db-journal'))).toBe(false);
  }, 30_000);
});
