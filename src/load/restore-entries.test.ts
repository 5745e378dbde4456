import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { RECORD } from '../../test/support/empty-state.js';
import { sampleHandle } from '../../test/support/samples.js';
import type { DirectoryEntry } from '../format/dirents.js';
import { JobState } from '../state/job-state.js';
import { unpackEntries } from '../worker/packed-entries.js';
import type { JobContext } from './job-context.js';
import { bringBack } from './restore-entries.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-restore-unit-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

const DIRECTORY = 7;
const FIRST = 2000;
const ENTRIES = 30_000;

it('what a directory leads to comes back in transactions of a bounded size, and counts as a whole', async () => {
  let commits = 0;
  const hooks = { before: () => void commits++ };
  const state = JobState.create(join(base, 'job.db'), RECORD, 1001, 'DELETE', hooks);
  // A number is missing now and then: of what had failed.
  const sequences = Array.from({ length: ENTRIES }, (_, n) => FIRST + n).filter((n) => n % 1000 !== 0);
  const commitsWhile: number[] = [];
  const reader = {
    async *entriesOf(): AsyncGenerator<DirectoryEntry> {
      yield { name: Buffer.from('.'), handle: sampleHandle(1, 2) };
      for (const sequence of sequences) {
        yield { name: Buffer.from(`${sequence}`), handle: sampleHandle(sequence) };
        commitsWhile.push(commits);
      }
    },
  };
  const context = { state } as unknown as JobContext;
  const rows = () => state.chunks.ofDirectory(DIRECTORY, 0, ENTRIES);
  expect(await bringBack(context, reader, DIRECTORY)).toBe(sequences.length);
  // Not all at once, and not each by itself.
  expect(commitsWhile.at(-1)).toBeGreaterThan(2);
  expect(commits).toBeLessThan(10);

  // A crash forgets them.
  state.transact(() => state.reclaimListings());
  expect(rows()).toEqual([]);

  await bringBack(context, reader, DIRECTORY);
  state.transact(() => state.chunks.settleHidden(DIRECTORY));
  state.transact(() => state.reclaimListings());
  const found = rows().flatMap(({ firstSequence, entries }) =>
    Array.from(unpackEntries(entries), ({ index, name }) => [firstSequence + index, Buffer.from(name).toString()]),
  );
  expect(found).toEqual(sequences.map((sequence) => [sequence, `${sequence}`]));
  state.close();
});
