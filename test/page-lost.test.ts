import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startPage } from './support/page-client.js';
import { loadWhole, runProgram } from './support/program.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-page-lost-'));
const source = join(base, 'source');
const container = join(base, 'container');
const state = join(base, 'state');

/** Every thread of a page dies as soon as it has said where it listens. */
const DIES = `
const { isMainThread, parentPort, workerData } = require('node:worker_threads');
if (!isMainThread && workerData?.place?.token) {
  const post = parentPort.postMessage.bind(parentPort);
  parentPort.postMessage = (message) => {
    post(message);
    setImmediate(() => { throw new Error('a planted fault'); });
  };
}`;
const env = { NODE_OPTIONS: `--require=${join(base, 'dies.cjs')}` };

beforeAll(async () => {
  writeFileSync(join(base, 'dies.cjs'), DIES);
  mkdirSync(source);
  writeFileSync(join(source, 'file'), 'content');
  await loadWhole(source, container, state);
});
afterAll(() => rmSync(base, { recursive: true }));

it('a page that dies is spoken of by who serves nothing else, which fails', async () => {
  const page = await startPage(['page', state], env);
  expect(await page.done).toBe(2);
  expect(page.output()).toContain('The page is served no more: a planted fault. Start it again.\n');
});

it('a job whose page dies warns, and goes on', async () => {
  const target = join(base, 'target');
  const page = await startPage(['export', container, target, '--page'], env);
  expect(await page.done).toBe(0);
  expect(page.output()).toContain(
    'WARNING: The page is served no more: a planted fault. The work goes on without it.\n',
  );
  expect(page.output()).toContain('2 entries written');
  expect((await runProgram('clfsload', ['verify', target, container])).code).toBe(0);
});

it('a page that is closed is not missed', async () => {
  const page = await startPage(['export', container, join(base, 'other'), '--page']);
  expect(await page.done).toBe(0);
  expect(page.output()).not.toContain('served no more');
});
