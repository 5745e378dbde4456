import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
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

it('takes a directory in which nothing can be made for a usual one', async () => {
  const fd = openSync('/proc/self', 'r');
  expect(await probeNames(fd, '.names-')).toEqual(EXACT_NAMES);
  closeSync(fd);
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
