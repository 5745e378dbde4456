import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openDatabase } from '../src/sqlite/database.js';
import { type BlobServer, startBlobServer } from './support/blob-server.js';
import { runProgram } from './support/program.js';
import { removeTree, someBytes } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-read-cap-'));
const CAP_MBPS = 20;
const FILES = 30;
const FILE_BYTES = 100_000;
/** Seconds that the bytes take at the cap; a tenth of a second of it may have been saved up. */
const LEAST_SECONDS = (FILES * FILE_BYTES * 8) / (CAP_MBPS * 1e6) - 0.1;
const CAP = `--cap-mbps=${CAP_MBPS}`;
let container: string;
let server: BlobServer;

beforeAll(async () => {
  const source = join(base, 'source');
  container = join(base, 'container');
  mkdirSync(source);
  for (let file = 0; file < FILES; file++) writeFileSync(join(source, `${file}`), someBytes(FILE_BYTES, file));
  const args = ['load', source, container, `--state-path=${join(base, 'load-state')}`, '--compression-type=DISABLED'];
  expect((await runProgram('clfsload', args)).code).toBe(0);
  server = await startBlobServer(container);
});
afterAll(async () => {
  await server.close();
  removeTree(base);
});

async function seconds(args: readonly string[]): Promise<number> {
  const begun = performance.now();
  const { code, stderr } = await runProgram('clfsload', [...args]);
  expect(code, stderr).toBe(0);
  return (performance.now() - begun) / 1000;
}

it.each([
  ['an export', (target: string) => ['export', server.url, target, '--threads=1']],
  ['a check of every byte', () => ['fsck', server.url, '--content', '--threads=1']],
  ['a tar', (target: string) => ['export', server.url, '--tar', `${target}.tar`]],
])('holds %s to a rate', async (what, argsOf) => {
  const args = argsOf(join(base, `target of ${what}`));
  expect(await seconds([...args, CAP])).toBeGreaterThan(LEAST_SECONDS);
});

it('is recorded with an export, which goes on by it unless it is told otherwise', async () => {
  const statePath = join(base, 'recorded');
  const target = join(base, 'recorded target');
  const capOf = () => {
    const db = openDatabase(join(statePath, 'job.db'), true);
    const { record } = db.prepare('SELECT record FROM job').get() as { record: string };
    db.close();
    return (JSON.parse(record) as { capMbps?: number }).capMbps;
  };
  await seconds(['export', server.url, target, `--state-path=${statePath}`, CAP]);
  expect(readFileSync(join(target, '3')).equals(someBytes(FILE_BYTES, 3))).toBe(true);
  expect(capOf()).toBe(CAP_MBPS);
  await seconds(['resume', statePath, server.url]);
  expect(capOf()).toBe(CAP_MBPS);
  await seconds(['resume', statePath, server.url, '--cap-mbps=500']);
  expect(capOf()).toBe(500);
});

it('is refused for a container on disk, which has no rate', async () => {
  for (const args of [
    ['export', container, join(base, 'on disk')],
    ['ls', container],
  ]) {
    const { code, stderr } = await runProgram('clfsload', [...args, CAP]);
    expect(code).toBe(2);
    expect(stderr).toContain('--cap-mbps holds what is read from a service to a rate');
  }
});
