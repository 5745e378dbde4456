import { closeSync, mkdtempSync, openSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { heldUpPath } from './held-up-path.js';

const number = (x64: number, arm64: number) => (process.arch === 'arm64' ? arm64 : x64);
const line = (call: number, first: number | string) =>
  `${call} ${typeof first === 'number' ? `0x${first.toString(16)}` : first} 0x0 0x0 0x0 0x0 0x0 0x7ffd77b743f8 0x7fb25ff16417`;

it('names the file that a descriptor of this process leads to', () => {
  const directory = mkdtempSync(join(tmpdir(), 'clfs-held-up-'));
  const path = join(directory, 'a\nb');
  const fd = openSync(path, 'w');
  const shown = readlinkSync(`/proc/self/fd/${fd}`).replace('\n', String.raw`\x0a`);
  expect(heldUpPath(line(number(74, 82), fd))).toBe(shown);
  closeSync(fd);
  rmSync(directory, { recursive: true });
});

it('says so where it cannot be told', () => {
  expect(heldUpPath(line(number(74, 82), 999_999))).toBe('it cannot be told which');
  expect(heldUpPath(line(number(2, 43), 'what'))).toBe('it cannot be told which');
  // An address at which nothing is.
  expect(heldUpPath(line(number(2, 43), 0x10))).toBe('it cannot be told which');
});
