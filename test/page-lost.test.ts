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

/** Every thread of a page dies: at once, a while after it has said where it listens, or when it is told of a job. */
const DIES = `
const { isMainThread, parentPort, workerData } = require('node:worker_threads');
const die = () => { throw new Error('a planted fault'); };
if (!isMainThread && workerData?.place?.token) {
  if (process.env.DIES === 'at once') die();
  else if (process.env.DIES === 'later') setTimeout(die, 1000);
  else parentPort.on('message', ({ kind }) => { if (kind === 'job') die(); });
}`;
const dies = (when: string) => ({ NODE_OPTIONS: `--require=${join(base, 'dies.cjs')}`, DIES: when });
const FILES = 3000;

beforeAll(async () => {
  writeFileSync(join(base, 'dies.cjs'), DIES);
  mkdirSync(source);
  for (let file = 0; file < FILES; file++) writeFileSync(join(source, `file-${file}`), 'content');
  await loadWhole(source, container, state);
});
afterAll(() => rmSync(base, { recursive: true }));

it('a page that dies is spoken of by who serves nothing else, which fails', async () => {
  const page = await startPage(['page', state], dies('later'));
  expect(await page.done).toBe(2);
  expect(page.output()).toContain('The page is served no more: a planted fault. Start it again.\n');
  const never = await runProgram('clfsload', ['page', state], dies('at once'));
  expect(never).toMatchObject({ code: 2, stderr: 'The page ended at once: a planted fault.\n' });
});

it('a job whose page dies warns, and goes on', async () => {
  const target = join(base, 'target');
  const page = await startPage(['export', container, target, '--page'], dies('when told'));
  expect(await page.done).toBe(0);
  expect(page.output()).toContain(
    'WARNING: The page is served no more: a planted fault. The work goes on without it.\n',
  );
  expect(page.output()).toContain(`${FILES + 1} entries written`);
  expect((await runProgram('clfsload', ['verify', target, container])).code).toBe(0);
});

it('a page that is closed is not missed', async () => {
  const page = await startPage(['export', container, join(base, 'other'), '--page']);
  expect(await page.done).toBe(0);
  expect(page.output()).not.toContain('served no more');
});
