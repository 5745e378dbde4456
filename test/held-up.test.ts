import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until } from './support/in-time.js';
import { loadWhole, runProgram, startProgram } from './support/program.js';
import { mountSlowFs, type SlowFileSystem, whyNoSlowFs } from './support/slow-fs.js';
import { removeTree } from './support/tree.js';

const why = whyNoSlowFs();
const base = mkdtempSync(join(tmpdir(), 'clfs-held-up-'));
const source = join(base, 'source');
const container = join(base, 'container');
const FILES = 40;

describe.skipIf(why !== undefined)(`a call that holds up the program itself${why ? ` (skipped: ${why})` : ''}`, () => {
  let slow: SlowFileSystem;
  beforeAll(async () => {
    mkdirSync(source);
    for (let file = 0; file < FILES; file++) writeFileSync(join(source, `file ${file}`), 'content');
    await loadWhole(source, container, join(base, 'state'));
    slow = mountSlowFs(1000);
  });
  afterEach(() => {
    for (const file of [slow.hold, slow.held]) rmSync(file, { force: true });
  });
  afterAll(() => {
    slow?.unmount();
    removeTree(base);
  });

  it('is named, and a stop ends the program all the same: of the state of an export', async () => {
    const target = join(base, 'target');
    const state = join(slow.mountPoint, 'hold-state');
    const args = ['export', container, target, `--state-path=${state}`];
    const { code, told } = await stoppedWhen(
      [...args, '--stall-warning=1s'],
      () => existsSync(join(slow.back, 'hold-state', 'clfsload.log')),
      slow,
      true,
    );
    expect(code).toBe(130);
    expect(told).toMatch(/A file system has not answered since \S+Z: \S+\/hold-state/);
    expect(told).toMatch(/Stopped without waiting any longer for a file system that does not answer: \S+hold-state/);
    rmSync(slow.hold);
    expect((await runProgram('clfsload', ['resume', state])).stdout).toMatch(/ 0 failed/);
    const verified = await runProgram('clfsload', ['verify', target, container, '--content']);
    expect(verified.stdout).toMatch(/^41 same, 0 different/m);
  });

  it.each([
    ['status', 130],
    ['resume', 1],
  ] as const)('keeps %s from no end that is asked for before anything else', async (verb, expected) => {
    const state = join(slow.mountPoint, `hold-${verb}`);
    await loadWhole(source, join(base, `${verb}-container`), state);
    const { code, signal, told } = await stoppedWhen([verb, state], () => true, slow, false);
    // Before the program hears signals by itself, one may end it as any other.
    if (signal === 'SIGINT') return;
    expect(code).toBe(expected);
    expect(told).toMatch(/Stopped without waiting any longer for a file system that does not answer: \S+hold-/);
  });

  it('is named by status, too, after as long as it is told', async () => {
    const state = join(slow.mountPoint, 'hold-named');
    await loadWhole(source, join(base, 'named-container'), state);
    const { code } = await stoppedWhen(['status', state, '--stall-warning=1s'], () => true, slow, true);
    expect(code).toBe(130);
  });
});

/**
 * Runs the program, has the file system answer no more, and stops it by one signal. @param isNamed whether it says that
 * first
 */
async function stoppedWhen(
  args: readonly string[],
  isReady: () => boolean,
  slow: SlowFileSystem,
  isNamed: boolean,
): Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null; readonly told: string }> {
  const held = () => existsSync(slow.held);
  const { child, done } = startProgram('clfsload', args);
  let told = '';
  child.stderr?.on('data', (text: string) => {
    told += text;
  });
  try {
    await until(isReady);
    writeFileSync(slow.hold, '');
    await until(() => held() && (!isNamed || told.includes('A file system has not answered')));
  } catch (error) {
    child.kill('SIGKILL');
    throw new Error(`${String(error)} ${told}`);
  }
  // It may be on its way to the call.
  await sleep(500);
  child.kill('SIGINT');
  const killer = setTimeout(() => child.kill('SIGKILL'), 30_000);
  const { code } = await done;
  clearTimeout(killer);
  return { code, signal: child.signalCode, told };
}
