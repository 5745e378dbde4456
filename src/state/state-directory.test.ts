import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { RECORD } from '../../test/support/empty-state.js';
import { refusal } from '../../test/support/samples.js';
import { openDatabase } from '../sqlite/database.js';
import { JobState } from './job-state.js';
import { claimExistingState, claimNewState, findDatabase, isStateHeld, removeState } from './state-directory.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-directory-unit-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let count = 0;
const place = () => join(base, `${count++}`);
/** A state directory that holds a job. */
function withJob(record = RECORD): string {
  const path = place();
  mkdirSync(path);
  JobState.create(join(path, 'job.db'), record, 1001, 'DELETE').close();
  return path;
}

describe('a state directory', () => {
  const quoted = JSON.stringify;

  it('is made for a new job, held by one process, and taken back', () => {
    const path = place();
    const held = claimNewState(path);
    // For its owner alone: names of the source are in it.
    expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(isStateHeld(path)).toBe(true);
    expect(refusal(() => claimNewState(path))).toBe(
      `state-busy: Another process is working on the job in ${quoted(path)}. Wait for it, or stop it first.`,
    );
    held.discard(undefined);
    held.release();
    expect(isStateHeld(path)).toBe(false);
    expect(refusal(() => findDatabase(path))).toBe(`state: The state directory ${quoted(path)} does not exist.`);
  });

  it('goes with all that a job may leave in it, also one that was killed while it wrote its reports', () => {
    const path = withJob();
    const reports = ['problems.txt', 'failures.jsonl', 'report.html', 'workers.json', 'last-workers.json'];
    for (const name of reports.flatMap((report) => [report, `${report}.new`])) writeFileSync(join(path, name), '');
    removeState(claimExistingState(path));
    expect(existsSync(path)).toBe(false);
  });

  it('may be there, empty; what was there before stays when it is taken back', () => {
    const path = place();
    mkdirSync(path, { mode: 0o750 });
    const held = claimNewState(path);
    writeFileSync(held.file('clfsload.log'), '');
    held.discard(undefined);
    expect(statSync(path).mode & 0o777).toBe(0o750);
    expect(refusal(() => claimExistingState(path))).toMatch(
      /^state: The state directory .* is empty: there is no job to go on with\. Leave out --new-session=false to start one\.$/,
    );
  });

  it('that holds a job is for that alone', () => {
    const path = withJob();
    const text = `state: The state directory ${quoted(path)} holds a job already. Go on with it by --new-session=false, or name another --state-path for a new one.`;
    expect(refusal(() => claimNewState(path))).toBe(text);
    expect(findDatabase(path)).toBe(join(path, 'job.db'));
    const held = claimExistingState(path);
    expect(held).toMatchObject({ path, databasePath: join(path, 'job.db') });
    expect(refusal(() => claimExistingState(path))).toMatch(/^state-busy: /);
    writeFileSync(join(path, 'foreign'), '');
    expect(removeState(held)).toBe(false);
    expect(refusal(() => findDatabase(path))).toBe(`state: The state directory ${quoted(path)} holds no job.`);
    writeFileSync(join(path, 'job.db'), 'what cannot be read counts as a job');
    expect(refusal(() => claimNewState(path))).toBe(text);
    rmSync(join(path, 'foreign'));
    expect(refusal(() => claimNewState(path))).toBe(text);
  });

  it('of a job that never began is taken for a new one', () => {
    const held = claimNewState(withJob({ ...RECORD, begun: false }));
    held.discard(true);
    expect(refusal(() => claimExistingState(held.path))).toMatch(/is empty: there is no job to go on with/);
    const died = place();
    mkdirSync(died);
    writeFileSync(join(died, 'lock'), '');
    expect(refusal(() => claimExistingState(died))).toMatch(/is empty: there is no job to go on with/);
    openDatabase(join(died, 'job.db')).exec('CREATE TABLE x (y)');
    claimNewState(died).release();
  });

  it('stays where it holds what somebody else has begun meanwhile, since the lock was lost', () => {
    const early = claimNewState(place());
    JobState.create(early.databasePath, RECORD, 1001, early.journal).close();
    early.discard(undefined);
    expect(claimExistingState(early.path).path).toBe(early.path);

    const late = claimExistingState(withJob());
    rmSync(late.path, { recursive: true });
    const anew = claimNewState(late.path);
    JobState.create(anew.databasePath, RECORD, 1001, anew.journal).close();
    expect(removeState(late)).toBe(true);
    expect(existsSync(anew.databasePath)).toBe(true);
    anew.release();

    const own = claimNewState(place());
    JobState.create(own.databasePath, RECORD, 1001, own.journal).close();
    own.discard(false);
    expect(existsSync(own.databasePath)).toBe(true);
  });

  it('is refused with the reason where it cannot be one', () => {
    const foreign = place();
    mkdirSync(foreign);
    writeFileSync(join(foreign, 'foreign'), '');
    expect(refusal(() => claimNewState(foreign))).toBe(
      `state: The state directory ${quoted(foreign)} is not empty. Name an empty one, or one that does not exist yet.`,
    );
    expect(refusal(() => claimExistingState(foreign))).toBe(
      `state: The state directory ${quoted(foreign)} holds no job of this program. Name the --state-path that the job was started with.`,
    );
    const file = place();
    writeFileSync(file, '');
    expect(refusal(() => claimNewState(file))).toBe(`state: The state path ${quoted(file)} is not a directory.`);
    const deep = join(place(), 'below');
    expect(refusal(() => claimNewState(deep))).toBe(
      `state: Cannot make the state directory ${quoted(deep)}: its parent ${quoted(join(deep, '..'))} is not an existing directory.`,
    );
    expect(refusal(() => claimNewState(join(file, 'below')))).toMatch(/is not an existing directory\.$/);
    const long = join(base, 'n'.repeat(300));
    expect(refusal(() => claimNewState(long))).toMatch(/^state: Cannot make the state directory .*: ENAMETOOLONG/);
    expect(refusal(() => findDatabase(long))).toMatch(/^state: Cannot read the state directory .*: ENAMETOOLONG/);
    const locked = withJob();
    mkdirSync(join(locked, 'lock'));
    expect(refusal(() => claimExistingState(locked))).toMatch(/^state: Cannot write to the state directory .*: EISDIR/);
    expect(isStateHeld(place())).toBe(false);
    const leftOver = place();
    mkdirSync(join(leftOver, 'clfsload.log'), { recursive: true });
    openDatabase(join(leftOver, 'job.db')).exec('CREATE TABLE x (y)');
    expect(refusal(() => claimNewState(leftOver))).toMatch(/^state: Cannot write to the state directory .*is a dir/i);
    expect(isStateHeld(leftOver)).toBe(false);
  });
});
