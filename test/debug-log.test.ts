import { linkSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Azurite, startAzurite } from './support/azurite.js';
import { runProgram } from './support/program.js';
import { removeTree } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-debug-'));
const source = join(base, 'source');
let azurite: Azurite;
beforeAll(async () => {
  mkdirSync(join(source, 'd'), { recursive: true });
  for (const name of ['a', 'd/b']) writeFileSync(join(source, name), name);
  linkSync(join(source, 'a'), join(source, 'd/linked'));
  azurite = await startAzurite();
});
afterAll(async () => {
  await azurite.stop();
  removeTree(base);
});

async function logOf(level: string): Promise<string> {
  const url = await azurite.createContainer(`log-${level.toLowerCase()}`);
  const state = join(base, `state-${level}`);
  const flags = ['--preserve-hardlinks', `--log-level=${level}`, '--output-type=none'];
  const { code } = await runProgram('clfsload', ['load', source, url, `--state-path=${state}`, ...flags]);
  expect(code).toBe(0);
  return readFileSync(join(state, 'clfsload.log'), 'utf8');
}

describe('the log of a load', () => {
  it('at DEBUG has requests, entries and decisions, a line each, and no secret', async () => {
    const log = await logOf('DEBUG');
    expect(log).toMatch(/ DEBUG request: PUT 00000063_\S+, \d+ bytes, try 1: 201, 0 bytes in \d+ ms\n/);
    expect(log).toMatch(
      / DEBUG request: GET container\?restype=container&comp=list\S*, 0 bytes, try 1: 200, \d+ bytes in /,
    );
    expect(log).toContain(' DEBUG loaded: d/b\n');
    expect(log).toContain(' DEBUG loaded as a hard link: a\n');
    expect(log).toContain(' DEBUG loaded as a hard link: d/linked\n');
    expect(log).toContain(' DEBUG directory written: d\n');
    for (const line of log.trimEnd().split('\n')) expect(line).toMatch(/^\d{4}-\S+Z (DEBUG|INFO|WARNING) /);
    expect(log).not.toMatch(/sig=(?!-REDACTED-)/);
  });

  it('at INFO has none of them', async () => {
    expect(await logOf('INFO')).not.toMatch(/DEBUG|request:|loaded:/);
  });
});
