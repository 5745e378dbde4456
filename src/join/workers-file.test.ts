import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { workerPresence } from '../../test/support/worker-presence.js';
import { systemClock } from '../time/clock.js';
import { lastWorkersAt, workersAt } from './worker-status.js';
import { forgetWorkers, LAST_WORKERS_FILE, WORKERS_FILE, WorkersFile } from './workers-file.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-workers-file-'));
afterAll(() => rmSync(base, { recursive: true }));

const PRESENT = workerPresence('node1/7', { isSlow: true });
const SHOWN = { name: 'node1/7', since: '2023-11-14T22:13:20.000Z', megabitsPerSecond: 8, units: 1000, slow: true };
const statePath = () => mkdtempSync(join(base, 'state-'));

describe('the file of who takes part', () => {
  it('says it while they do, and afterwards what they did', () => {
    const state = statePath();
    const list = [PRESENT];
    const file = new WorkersFile(
      join(state, WORKERS_FILE),
      systemClock,
      () => list,
      () => undefined,
    );
    expect(workersAt(state)).toMatchObject([SHOWN]);
    list[0] = { ...PRESENT, units: 1200 };
    file.close();
    expect(workersAt(state)).toBeUndefined();
    expect(lastWorkersAt(state)).toMatchObject([{ ...SHOWN, units: 1200 }]);
    expect(readdirSync(state)).toEqual([LAST_WORKERS_FILE]);
    forgetWorkers(join(state, WORKERS_FILE));
    expect(readdirSync(state)).toEqual([]);
    expect(lastWorkersAt(state)).toBeUndefined();
  });

  it('tells nothing of a session to which nobody came', () => {
    const state = statePath();
    new WorkersFile(
      join(state, WORKERS_FILE),
      systemClock,
      () => [],
      () => undefined,
    ).close();
    expect(readdirSync(state)).toEqual([]);
  });

  it('is left by a session that was killed, and tells of that one', () => {
    const state = statePath();
    writeFileSync(join(state, WORKERS_FILE), JSON.stringify([PRESENT]));
    expect(lastWorkersAt(state)).toMatchObject([SHOWN]);
  });

  it('is written by nobody whose job it is not any more', () => {
    const state = statePath();
    let isMine = true;
    const requireMine = () => {
      if (!isMine) throw Object.assign(new Error('of somebody else'), { code: 'state-busy' });
    };
    const file = new WorkersFile(join(state, WORKERS_FILE), systemClock, () => [PRESENT], requireMine);
    isMine = false;
    file.close();
    expect(existsSync(join(state, WORKERS_FILE))).toBe(true);
    expect(existsSync(join(state, LAST_WORKERS_FILE))).toBe(false);
  });

  it.each([
    ['is no JSON', '['],
    ['is no list', '{"name":"node1/7"}'],
    ['lists what is no worker', '[null]'],
    ['lacks something', JSON.stringify([{ ...PRESENT, units: undefined }])],
    ['has a moment that is none', JSON.stringify([{ ...PRESENT, sinceMs: 1e300 }])],
    ['has a name that is none', JSON.stringify([{ ...PRESENT, name: {} }])],
    ['has a reason that is none', JSON.stringify([{ ...PRESENT, trouble: 7 }])],
    ['has a negative rate', JSON.stringify([{ ...PRESENT, unitsPerSecond: -1 }])],
  ])('tells of nobody when it %s', (_, text) => {
    const state = statePath();
    for (const name of [WORKERS_FILE, LAST_WORKERS_FILE]) writeFileSync(join(state, name), text);
    expect(workersAt(state)).toBeUndefined();
    expect(lastWorkersAt(state)).toBeUndefined();
  });
});
