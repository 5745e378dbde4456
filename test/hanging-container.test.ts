import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until } from './support/in-time.js';
import { loadWhole, runProgram, startProgram } from './support/program.js';
import { mountSlowFs, type SlowFileSystem, whyNoSlowFs } from './support/slow-fs.js';
import { removeTree } from './support/tree.js';

const why = whyNoSlowFs();
const base = mkdtempSync(join(tmpdir(), 'clfs-hanging-container-'));
afterAll(() => removeTree(base));
const source = join(base, 'source');
const FILES = 300;
/** Ends in time that a user takes for "at once"; a machine of tests may be busy. */
const SOON_MS = 30_000;

/** Runs the program until it says something, and stops it then. @returns its exit code; null: it had to be killed */
async function stopped(args: readonly string[], says: RegExp, signal: NodeJS.Signals): Promise<number | null> {
  const { child, done } = startProgram('clfsload', [...args, '--stall-warning=1s']);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (text: string) => {
      output += text;
    });
  await until(() => says.test(output) || child.exitCode !== null).catch((error: unknown) => {
    child.kill('SIGKILL');
    throw new Error(`${String(error)} ${output}`);
  });
  if (child.exitCode !== null) throw new Error(output);
  child.kill(signal);
  const tooLong = setTimeout(() => child.kill('SIGKILL'), SOON_MS);
  const { code } = await done;
  clearTimeout(tooLong);
  return code;
}

const skipped = why === undefined ? '' : ` (skipped: ${why})`;

describe.skipIf(why !== undefined)(`a container on a file system that answers no more${skipped}`, () => {
  let slow: SlowFileSystem;
  const says = /The container has not answered since \S+Z: \S+\/hold-container/;
  const container = () => join(slow.mountPoint, 'hold-container');
  beforeAll(async () => {
    slow = mountSlowFs(0);
    mkdirSync(source);
    for (let file = 0; file < FILES; file++) writeFileSync(join(source, `file ${file}`), `content ${file}`);
    await loadWhole(source, join(slow.back, 'hold-container'), join(base, 'state'));
  });
  afterEach(() => {
    for (const file of [slow.hold, slow.held]) rmSync(file, { force: true });
  });
  afterAll(() => slow?.unmount());

  it.each([
    ['fsck', (at: string) => ['fsck', at], 'SIGINT'],
    ['fsck --content', (at: string) => ['fsck', at, '--content'], 'SIGTERM'],
    ['verify', (at: string) => ['verify', source, at], 'SIGINT'],
    ['verify --content', (at: string) => ['verify', source, at, '--content'], 'SIGTERM'],
    ['manifest', (at: string) => ['manifest', at], 'SIGINT'],
    ['ls', (at: string) => ['ls', at], 'SIGTERM'],
    ['cat', (at: string) => ['cat', at, 'file 1'], 'SIGINT'],
    ['export', (at: string) => ['export', at, join(base, 'target')], 'SIGINT'],
    ['export --dry-run', (at: string) => ['export', at, join(base, 'target'), '--dry-run'], 'SIGTERM'],
  ] as const)('is named by %s, which a signal ends', async (_name, args, signal) => {
    writeFileSync(slow.hold, '');
    expect(await stopped(args(container()), says, signal)).toBe(130);
    expect(existsSync(join(base, 'target'))).toBe(false);
  });

  it.each([[[]], [['--threads=0']]])(
    'is named at the start of a load, and in the midst of one, which a signal ends, and which goes on (%j)',
    async (flags) => {
      const name = `hold-load${flags.length}`;
      const [at, state] = [join(slow.mountPoint, name), join(base, `load-state${flags.length}`)];
      const load = ['load', source, at, `--state-path=${state}`, ...flags];
      const saysLoad = new RegExp(`The container has not answered since \\S+Z: \\S+/${name}`);
      writeFileSync(slow.hold, '');
      expect(await stopped(load, saysLoad, 'SIGINT')).toBe(1);
      expect(existsSync(state)).toBe(false);
      rmSync(slow.hold);
      // In the midst: as soon as it has begun.
      const { child, done } = startProgram('clfsload', [...load, '--stall-warning=1s']);
      let told = '';
      child.stdout?.on('data', (text: string) => {
        told += text;
      });
      await until(() => existsSync(join(state, 'clfsload.log')));
      writeFileSync(slow.hold, '');
      await until(() => saysLoad.test(told));
      child.kill('SIGTERM');
      const tooLong = setTimeout(() => child.kill('SIGKILL'), SOON_MS);
      expect((await done).code).toBe(1);
      clearTimeout(tooLong);
      expect(readFileSync(join(state, 'clfsload.log'), 'utf8')).toMatch(
        /WARNING the container has not answered for \d+ s/,
      );
      rmSync(slow.hold);
      const again = await runProgram('clfsload', ['resume', state]);
      expect(again.stdout).toContain('Final Job Status: Completed');
      const checked = await runProgram('clfsload', ['fsck', join(slow.back, name), '--content', '--strict']);
      expect(checked.stdout).toMatch(/0 errors, 0 warnings/);
      const verified = await runProgram('clfsload', ['verify', source, join(slow.back, name), '--content']);
      expect(verified.stdout).toMatch(new RegExp(`^${FILES + 1} same, 0 different, 0 only`, 'm'));
    },
  );
});
