import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openJobLog } from './job-log.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-log-unit-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const LINE = 'x'.repeat(1048576);
let count = 0;
function open() {
  const directory = join(base, `${count++}`);
  mkdirSync(directory);
  const file = join(directory, 'job.log');
  return { directory, file, log: openJobLog(file, 'INFO', (text) => text) };
}

describe('the log of a job', () => {
  it('is whole, though its file, or its directory, was removed meanwhile', () => {
    const { directory, file, log } = open();
    log.write('INFO', 'one');
    rmSync(file);
    log.write('INFO', 'two');
    const text = () => Buffer.concat(log.parts()).toString();
    expect(text()).toMatch(/ INFO one\n.* INFO two\n$/);
    rmSync(directory, { recursive: true });
    expect(text()).toMatch(/ INFO two\n$/);
    log.close();
    expect(log.parts()).toEqual([]);
  });

  it('has a line for each text, of what a terminal does not obey', () => {
    const { file, log } = open();
    log.write('INFO', 'one\ntwo\u001b[2K\u0007');
    log.close();
    expect(readFileSync(file, 'utf8')).toMatch(/^\S+ INFO one two\\x1b\[2K\\x07\n$/);
  });

  it('is put aside when it is long, and goes on in a new file, also where the old one was removed', () => {
    const { file, log } = open();
    for (let line = 0; line < 18; line++) log.write('INFO', LINE);
    expect(log.parts().map(({ length }) => Math.round(length / LINE.length))).toEqual([16, 2]);
    rmSync(file);
    for (let line = 0; line < 18; line++) log.write('INFO', LINE);
    log.write('INFO', 'last');
    expect(readFileSync(file, 'utf8')).toMatch(/ INFO last\n$/);
    log.close();
  });
});
