import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { recordFolding } from '../open-export.js';
import type { ExportRecord } from '../state/export-record.js';
import type { ExportState } from '../state/export-state.js';
import { EXACT_NAMES, foldedName, probeNames } from './name-folding.js';

it('finds that a usual file system tells all names apart, and leaves nothing there', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'clfs-folding-'));
  const fd = openSync(directory, 'r');
  expect(await probeNames(fd, '.names-')).toEqual(EXACT_NAMES);
  expect(readdirSync(directory)).toEqual([]);
  // Of a session that was killed.
  writeFileSync(join(directory, '.names-A\u00e9'), '');
  expect(await probeNames(fd, '.names-')).toEqual(EXACT_NAMES);
  expect(readdirSync(directory)).toEqual([]);
  closeSync(fd);
  rmSync(directory, { recursive: true });
});

it('finds nothing where no file can be made, and a job looks again in its next session', async () => {
  const fd = openSync('/proc/self', 'r');
  expect(await probeNames(fd, '.names-')).toBeUndefined();
  closeSync(fd);
  const record: Pick<ExportRecord, 'isTree' | 'jobId' | 'folding'> = { isTree: true, jobId: 'job' };
  const state = {
    record,
    transact: (change: () => void) => change(),
    update: (change: Partial<ExportRecord>) => void Object.assign(record, change),
  } as unknown as ExportState;
  const folding = { letterCase: true, unicodeForm: false };
  const found = [undefined, folding, EXACT_NAMES];
  const target = { probeNames: async () => found.shift() };
  const recorded: unknown[] = [];
  for (let session = 0; session < 3; session++) {
    await recordFolding(state, target);
    recorded.push(record.folding);
  }
  expect(recorded).toEqual([undefined, folding, folding]);
});

it('has one form for names that are not told apart, and only for those', () => {
  const names = ['Ab', 'ab', '\u00c9', '\u00e9', 'e\u0301'].map((name) => Buffer.from(name));
  const raw = [Buffer.from('\xffA', 'latin1'), Buffer.from('\xfea', 'latin1'), Buffer.from('\xffa', 'latin1')];
  const formsOf = (letterCase: boolean, unicodeForm: boolean) =>
    new Set([...names, ...raw].map((name) => foldedName(name, { letterCase, unicodeForm }).toString('hex'))).size;
  expect(formsOf(false, false)).toBe(8);
  expect(formsOf(true, false)).toBe(5);
  expect(formsOf(false, true)).toBe(7);
  expect(formsOf(true, true)).toBe(4);
});
