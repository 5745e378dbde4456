import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from './support/in-time.js';
import { loadWhole, runProgram, startProgram } from './support/program.js';
import { mountSlowFs, type SlowFileSystem, whyNoSlowFs } from './support/slow-fs.js';
import { removeTree } from './support/tree.js';

const why = whyNoSlowFs();
const base = mkdtempSync(join(tmpdir(), 'clfs-slow-target-'));
const source = join(base, 'source');
const container = join(base, 'container');
const FILES = 40;

describe.skipIf(why !== undefined)(`a call that never ends${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  let slow: SlowFileSystem;
  beforeAll(async () => {
    mkdirSync(source);
    for (let file = 0; file < FILES; file++) writeFileSync(join(source, `file ${file}`), 'content');
    // In a directory of its own: what is made in one is made one after another.
    mkdirSync(join(source, 'below'));
    writeFileSync(join(source, 'below', 'on-hold'), 'content');
    await loadWhole(source, container, join(base, 'state'));
    slow = mountSlowFs(200);
  });
  afterAll(() => {
    slow?.unmount();
    removeTree(base);
  });

  it.each([
    ['in threads', []],
    ['in one thread', ['--threads=0']],
  ] as const)('of the target does not keep export from ending when it is stopped, %s', async (_how, flags) => {
    const name = `target${flags.length}`;
    const target = join(slow.mountPoint, name);
    const back = join(slow.back, name);
    writeFileSync(slow.hold, '');
    // The state is kept where calls end.
    const state = `--state-path=${join(base, name)}`;
    const { child, done } = startProgram('clfsload', ['export', container, target, state, ...flags]);
    await until(() => existsSync(back) && readdirSync(back).length > FILES);
    expect(await interrupted(child, done)).toBe(130);
    expect(readFileSync(join(base, name, 'clfsload.log'), 'utf8')).toMatch(/INFO The target is taken for slow from/);
    rmSync(slow.hold);
    const again = await runProgram('clfsload', ['export', container, target, state, '--new-session=false']);
    expect(again.stdout).toMatch(/, 0 failed/);
    const verified = await runProgram('clfsload', ['verify', back, container, '--content']);
    expect(verified.stdout).toMatch(/^43 same, 0 different, 0 only in the source, 0 only in the container, 0 could/m);
  });

  it('of the target is named, at the start too, and in a session that goes on', async () => {
    const [target, state] = [join(slow.mountPoint, 'on-hold'), join(base, 'start-state')];
    const args = ['export', container, target, `--state-path=${state}`, '--stall-warning=1s'];
    writeFileSync(slow.hold, '');
    expect(await stoppedWhenStalled(args, /The target has not answered since \S+Z: \S+on-hold\n/)).toBe(130);
    expect(existsSync(state)).toBe(false);
    rmSync(slow.hold);
    // In a directory of an export that is under way, by the path that the kernel has.
    const elsewhere = join(slow.mountPoint, 'names');
    const begin = ['export', container, elsewhere, `--state-path=${state}`, '--stall-warning=1s'];
    writeFileSync(slow.hold, '');
    expect(await stoppedWhenStalled(begin, /The target has not answered since \S+Z: \S+names\/below\/on-hold\n/)).toBe(
      130,
    );
    expect(readFileSync(join(state, 'clfsload.log'), 'utf8')).toMatch(/WARNING the target has not answered for \d+ s/);
    rmSync(slow.hold);
    const again = await runProgram('clfsload', ['resume', state]);
    expect(again.stdout).toMatch(/, 0 failed/);
  });

  it('of a file by which the target is asked leaves nothing, once the export that was stopped is repeated', async () => {
    const args = ['export', container, join(slow.mountPoint, 'asked')];
    const asked = join(slow.back, 'asked');
    writeFileSync(slow.rules, 'chmod -kept hang\n');
    const { child, done } = startProgram('clfsload', args);
    await until(() => existsSync(asked) && readdirSync(asked).some((name) => name.endsWith('-kept')));
    // By then it waits for the call that never ends.
    await sleep(1000);
    expect(await interrupted(child, done)).toBe(130);
    rmSync(slow.rules);
    const again = await runProgram('clfsload', args);
    expect(again.stdout).toMatch(/, 0 failed/);
    expect(readdirSync(asked).filter((name) => name.startsWith('.clfsload-'))).toEqual([]);
  });

  it('of the source does not keep verify from ending when it is stopped at its start', async () => {
    const root = join(slow.mountPoint, 'hold-source');
    mkdirSync(join(slow.back, 'hold-source'));
    rmSync(slow.held, { force: true });
    writeFileSync(slow.hold, '');
    const { child, done } = startProgram('clfsload', ['verify', root, container]);
    await until(() => existsSync(slow.held));
    expect(await interrupted(child, done)).toBe(130);
    rmSync(slow.hold);
  });

  it('of the source does not keep verify from ending when it is stopped', async () => {
    for (let file = 0; file < FILES; file++) writeFileSync(join(slow.back, `file ${file}`), 'content');
    mkdirSync(join(slow.back, 'below'));
    writeFileSync(join(slow.back, 'below', 'on-hold'), 'content');
    writeFileSync(slow.hold, '');
    const report = join(base, 'report');
    const args = ['verify', slow.mountPoint, container, '--content', `--report=${report}`];
    const { child, done } = startProgram('clfsload', args);
    await until(() => existsSync(report));
    // By then it mostly waits for the call that never ends; the end is the same if it does not yet.
    await sleep(1000);
    expect(await interrupted(child, done)).toBe(130);
    rmSync(slow.hold);
  });
});

/** Runs the program until it says that something hangs, and stops it then. @returns its exit code */
async function stoppedWhenStalled(args: readonly string[], says: RegExp): Promise<number | null> {
  const { child, done } = startProgram('clfsload', args);
  let told = '';
  child.stderr?.on('data', (text: string) => {
    told += text;
  });
  await until(() => says.test(told)).catch((error: unknown) => {
    child.kill('SIGKILL');
    throw new Error(`${String(error)} ${told}`);
  });
  return interrupted(child, done);
}

/** Stops a program by a signal. @returns its exit code; null when it had to be killed */
async function interrupted(
  child: ReturnType<typeof startProgram>['child'],
  done: ReturnType<typeof startProgram>['done'],
): Promise<number | null> {
  child.kill('SIGINT');
  const killer = setTimeout(() => child.kill('SIGKILL'), 60_000);
  const { code } = await done;
  clearTimeout(killer);
  return code;
}
