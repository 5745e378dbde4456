import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { RecordedContent } from '../src/page/recorded-content.js';
import { startPage } from './support/page-client.js';
import { loadWhole, runProgram, startProgram } from './support/program.js';

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

it('a job whose state is taken away runs no more, as far as its page can tell, which says so', async () => {
  const gone = join(base, 'gone');
  const load = startProgram('clfsload', ['load', source, join(base, 'never'), `--state-path=${gone}`, '--threads=0']);
  while (new RecordedContent(gone).look().now.state !== 'running') await setTimeout(10);
  load.child.kill('SIGSTOP');
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    const content = new RecordedContent(gone);
    expect(content.look().now).toMatchObject({ state: 'running', notes: [] });
    rmSync(gone, { recursive: true });
    // It may be that of an export that has just ended: how, is about to be told.
    expect(content.look().now).toMatchObject({ state: 'running', notes: [] });
    vi.advanceTimersByTime(6000);
    const { now } = content.look();
    expect(now).toMatchObject({
      state: 'stopped',
      notes: [`The state directory "${gone}" does not exist. What is shown was seen before that.`],
    });
    expect(now.secondsLeft).toBeUndefined();
    content.end({ finalStatus: 'Completed', done: 1, failed: 0, bytes: 0 });
    expect(content.look().now).toMatchObject({ state: 'finished', finalStatus: 'Completed', notes: [] });
  } finally {
    vi.useRealTimers();
    load.child.kill('SIGKILL');
    await load.done;
  }
});
