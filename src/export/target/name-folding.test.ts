import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { PosixError } from '../../posix/posix-error.js';
import { recordTarget } from '../go-on.js';
import type { ExportRecord } from '../state/export-record.js';
import type { ExportState } from '../state/export-state.js';
import { EXACT_NAMES, foldedName, type NameFolding, probeNames } from './name-folding.js';
import { SYSTEM_CALLS_LATER } from './target-calls.js';

it('finds that a usual file system tells all names apart, and leaves nothing there', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'clfs-folding-'));
  const fd = openSync(directory, 'r');
  expect(await probeNames(SYSTEM_CALLS_LATER, fd, '.names-')).toEqual(EXACT_NAMES);
  expect(readdirSync(directory)).toEqual([]);
  // Of a session that was killed.
  for (const name of ['.names-A', '.names-\u00e9']) writeFileSync(join(directory, name), '');
  expect(await probeNames(SYSTEM_CALLS_LATER, fd, '.names-')).toEqual(EXACT_NAMES);
  expect(readdirSync(directory)).toEqual([]);
  closeSync(fd);
  rmSync(directory, { recursive: true });
});

const LETTER_CASE = { letterCase: true, unicodeForm: false };

/** A job whose sessions find this of its target, one after the other. @returns what is recorded after each, or why it ended */
async function recordedBy(...found: readonly (NameFolding | PosixError | undefined)[]): Promise<unknown[]> {
  const record = { isTree: true, jobId: 'job', targetHex: '2f74', sessions: 0 } as ExportRecord;
  const state = {
    record,
    transact: (change: () => void) => change(),
    update: (change: Partial<ExportRecord>) => void Object.assign(record, change),
    beginAnew: ({ folding }: Partial<ExportRecord>) => void recorded.push({ anew: folding }),
  } as unknown as ExportState;
  const recorded: unknown[] = [];
  for (const now of found) {
    const probeNames = async () => {
      if (now instanceof PosixError) throw now;
      return now;
    };
    await recordTarget(state, { probeNames, probeKept: async () => undefined }, () => undefined).then(
      () => {
        recorded.push(record.folding);
        Object.assign(record, { sessions: record.sessions + 1 });
      },
      (error: unknown) => recorded.push(String(error)),
    );
  }
  return recorded;
}

it('finds nothing where no file may be made, and a job looks again in its next session', async () => {
  const fd = openSync('/proc/self', 'r');
  expect(await probeNames(SYSTEM_CALLS_LATER, fd, '.names-')).toBeUndefined();
  closeSync(fd);
  expect(await recordedBy(undefined, EXACT_NAMES, LETTER_CASE)).toEqual([undefined, EXACT_NAMES, EXACT_NAMES]);
});

it('ends a job that cannot find it now, before it reads a directory, and has one begin anew that has read some without it', async () => {
  const [full, broken] = [constants.errno.ENOSPC, constants.errno.EIO].map((errno) => new PosixError('open', errno));
  expect(await recordedBy(full, broken, LETTER_CASE)).toEqual([
    expect.stringMatching(/^ClfsError: Cannot write "\/t": no space left on device \(ENOSPC\)\. Make room there/),
    expect.stringMatching(/^ClfsError: Cannot make a file in "\/t": open: input\/output error \(EIO\)\. Repeat/),
    LETTER_CASE,
  ]);
  expect(await recordedBy(undefined, LETTER_CASE)).toEqual([undefined, { anew: LETTER_CASE }, undefined]);
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

it.each<[keyof NameFolding, string, string]>([
  ['letterCase', 'Name', 'nAME'],
  ['letterCase', '\u0391\u03a3', '\u03b1\u03c3'],
  ['letterCase', '\u03c2', '\u03c3'],
  ['letterCase', '\u017f', 's'],
  ['letterCase', '\u00b5', '\u03bc'],
  ['letterCase', '\u00df', 'SS'],
  ['letterCase', '\u1e9e', 'ss'],
  ['letterCase', '\u212a', 'k'],
  ['letterCase', 'x', 'x.'],
  ['unicodeForm', '\u00e9', 'e\u0301'],
  ['unicodeForm', 'a\u200bb', 'ab'],
])('by %s, %j and %j are one name', (what, one, other) => {
  const fold = (name: string, folding: NameFolding) => foldedName(Buffer.from(name), folding).toString('hex');
  expect(fold(one, { ...EXACT_NAMES, [what]: true })).toBe(fold(other, { ...EXACT_NAMES, [what]: true }));
  expect(fold(one, EXACT_NAMES)).not.toBe(fold(other, EXACT_NAMES));
});
