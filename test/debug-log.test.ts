import { linkSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { load } from '../src/load/load.js';
import { type Azurite, startAzurite } from './support/azurite.js';
import { runProgram } from './support/program.js';
import { removeTree } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-debug-'));
const source = join(base, 'source');
let azurite: Azurite;
let loads = 0;
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
  const url = await azurite.createContainer(`log-${++loads}`);
  const state = join(base, `state-${loads}`);
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

  it('at INFO has what a session goes by, and what is done at its end, however it ends', async () => {
    const ended = await logOf('INFO');
    expect(ended.match(/ INFO settings: /g)).toHaveLength(1);
    expect(ended).toContain(
      ' INFO settings: compression LZ4; preserve hard links true; left out: nothing; at most 50 failures; cap none; ',
    );
    // The root counts, as in the summary.
    expect(ended).toMatch(
      / INFO totals: 4 entries done, 0 failed, 0 pending, 0 left out, 4 bytes; \d+ requests, 0 retries, 0 throttled\n\S+ INFO final status: Completed\n$/,
    );
    const stop = new AbortController();
    const statePath = join(base, 'stopped');
    const { status } = await load({
      source,
      destination: join(base, 'container'),
      statePath,
      selection: { excludePaths: [], excludePatterns: ['*.o'], oneFileSystem: true },
      signal: stop.signal,
      onStart: () => stop.abort(),
    });
    expect(status).toBe('Cancelled');
    const log = readFileSync(join(statePath, 'clfsload.log'), 'utf8');
    expect(log).toContain('; left out: --exclude-pattern="*.o" --one-file-system; ');
    expect(log).toMatch(
      / INFO Cancelled: .*\n\S+ INFO totals: \d+ entries done, .*\n\S+ INFO final status: Cancelled\n$/,
    );
    expect(log).not.toContain(' ERROR ');
  });
});

describe('the log of an export', () => {
  it('has from where to where it goes, by what, and what was written', async () => {
    const container = join(base, 'exported');
    const loaded = ['load', source, container, `--state-path=${join(base, 'state-loaded')}`, '--output-type=none'];
    expect((await runProgram('clfsload', loaded)).code).toBe(0);
    const state = join(base, 'state-export');
    const target = join(base, 'target');
    const flags = [`--state-path=${state}`, '--exclude-pattern=linked', '--threads=1', '--max-errors=7'];
    expect((await runProgram('clfsload', ['export', container, 'd', target, ...flags])).code).toBe(0);
    const log = readFileSync(join(state, 'clfsload.log'), 'utf8');
    expect(log).toMatch(/ INFO session 1 of export \S+: (.*), clfsload /);
    expect(/ of export \S+: (.*), clfsload /.exec(log)?.[1]).toBe(`${container}, "d", to ${JSON.stringify(target)}`);
    expect(log).toContain(
      ' INFO settings: overwrite if-different; sparse false; salvage false; chosen: --exclude-pattern="linked"; failures at most 7; cap none; threads 1; workers none\n',
    );
    expect(log).toMatch(
      / INFO totals: 2 entries written, 0 replaced, 0 there already, 0 failed, 1 left out, 3 bytes; \d+ requests, 0 retries, 0 throttled\n\S+ INFO final status: Completed\n$/,
    );
  });
});
