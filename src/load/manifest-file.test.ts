import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { RECORD } from '../../test/support/empty-state.js';
import { refusal } from '../../test/support/samples.js';
import { JobState } from '../state/job-state.js';
import { ManifestFile } from './manifest-file.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-manifest-unit-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

describe('the manifest of a load while it grows', () => {
  let directory: string;
  const path = () => join(directory, 'manifest.jsonl');
  const open = (state: JobState) => new ManifestFile((name) => join(directory, name), state);
  const resume = () => JobState.open(join(directory, 'job.db'), 'DELETE');
  let state: JobState;
  beforeEach(() => {
    directory = mkdtempSync(join(base, 'state-'));
    state = JobState.create(join(directory, 'job.db'), { ...RECORD, manifestBytes: 0 }, 1001, 'DELETE');
    return () => state.close();
  });

  it('keeps what another process appended, which goes on with the job', async () => {
    const late = open(state);
    state.transact(() => late.append(['{"of":"the first"}']));
    const other = resume();
    other.transact(() => other.update({ sessions: other.record.sessions + 1 }));
    const manifest = open(other);
    other.transact(() => manifest.append(['{"of":"the second"}']));
    const { size } = statSync(path());
    // Whatever the one does that has lost its lock.
    expect(refusal(() => state.transact(() => late.append(['{"late":1}'])))).toMatch(/^state-busy: /);
    const again = open(state);
    await expect(again.copyTo(join(directory, 'copy'), false)).rejects.toMatchObject({ code: 'state-busy' });
    expect(statSync(path()).size).toBe(size);
    other.transact(() => manifest.append(['{"of":"the second again"}']));
    await manifest.copyTo(join(directory, 'copy'), false);
    expect(readFileSync(join(directory, 'copy'), 'utf8').split('\n')).toHaveLength(4);
    for (const each of [late, again, manifest]) each.close();
    other.close();
  });

  it('has nothing of a transaction that was undone, or that a killed process had begun', async () => {
    const manifest = open(state);
    state.transact(() => manifest.append(['1']));
    const fails = () =>
      state.transact(() => {
        manifest.append(['2']);
        throw new Error('no');
      });
    expect(fails).toThrow('no');
    state.transact(() => manifest.append(['3']));
    expect(fails).toThrow('no');
    await manifest.copyTo(join(directory, 'copy'), false);
    manifest.close();
    appendFileSync(path(), 'of a killed process');
    const next = open(state);
    state.transact(() => next.append(['4']));
    await next.copyTo(join(directory, 'next'), false);
    next.close();
    const read = (name: string) => readFileSync(join(directory, name), 'utf8');
    expect([read('copy'), read('next')]).toEqual(['1\n3\n', '1\n3\n4\n']);
  });

  it('refuses a file that is not as long as what is recorded of it', async () => {
    const manifest = open(state);
    state.transact(() => manifest.append(['1', '2']));
    appendFileSync(path(), 'foreign');
    const copied = () => manifest.copyTo(join(directory, 'copy'), false);
    await expect(copied()).rejects.toMatchObject({ code: 'state', message: expect.stringContaining('has 11 bytes') });
    state.transact(() => manifest.append(['3']));
    appendFileSync(path(), 'foreign');
    expect(refusal(() => state.transact(() => manifest.append(['4'])))).toMatch(
      /^state: The manifest ".*" has 15 bytes, and should have 8: something else has written to it\./,
    );
    truncateSync(path(), 2);
    await expect(copied()).rejects.toMatchObject({ code: 'state', message: expect.stringContaining('has lost lines') });
    manifest.close();
    expect(refusal(() => open(state))).toMatch(/^state: The manifest ".*" has lost lines that were recorded/);
  });
});
