import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { load } from '../src/load/load.js';
import type { LoadOptions } from '../src/load/options.js';
import type { SourcePlace } from '../src/source/source-place.js';
import type { SourceTree } from '../src/source/source-tree.js';
import { until } from './support/in-time.js';
import { runProgram, startProgram } from './support/program.js';
import { mountSlowFs, type SlowFileSystem, whyNoSlowFs } from './support/slow-fs.js';
import { removeTree } from './support/tree.js';

const why = whyNoSlowFs();
const base = mkdtempSync(join(tmpdir(), 'clfs-hanging-source-'));
afterAll(() => removeTree(base));

/** Ends in time that a user takes for "at once"; a machine of tests may be busy. */
const SOON_MS = 30_000;

/** Runs the program until it says that something hangs, and stops it then. @returns its exit code; null: it had to be killed */
async function stoppedWhenStalled(args: readonly string[], says: RegExp): Promise<number | null> {
  const { child, done } = startProgram('clfsload', [...args, '--stall-warning=1s']);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (text: string) => {
      output += text;
    });
  await until(() => says.test(output)).catch((error: unknown) => {
    child.kill('SIGKILL');
    throw new Error(`${String(error)} ${output}`);
  });
  child.kill('SIGINT');
  const tooLong = setTimeout(() => child.kill('SIGKILL'), SOON_MS);
  const { code } = await done;
  clearTimeout(tooLong);
  return code;
}

const skipped = why === undefined ? '' : ` (skipped: ${why})`;

describe.skipIf(why !== undefined)(`a source that answers no more${skipped}`, () => {
  let slow: SlowFileSystem;
  const places = (name: string) =>
    [join(base, `${name}-container`), `--state-path=${join(base, `${name}-state`)}`] as const;
  const source = (name: string) => join(slow.mountPoint, name);
  beforeAll(() => {
    slow = mountSlowFs(0);
    for (const root of ['hold-all', 'below']) {
      mkdirSync(join(slow.back, root, 'hold-directory'), { recursive: true });
      writeFileSync(join(slow.back, root, 'hold-directory', 'file'), 'content');
      writeFileSync(join(slow.back, root, 'file'), 'content');
    }
  });
  afterEach(() => {
    for (const file of [slow.hold, slow.held]) rmSync(file, { force: true });
  });
  afterAll(() => slow.unmount());

  it('is named at the start of a load, which a stop ends, and nothing is left behind', async () => {
    const [container, state] = places('start');
    writeFileSync(slow.hold, '');
    const load = ['load', source('hold-all'), container, state];
    expect(await stoppedWhenStalled(load, /The source has not answered since \S+Z: \/\S+hold-all\n/)).toBe(1);
    expect(existsSync(join(base, 'start-state'))).toBe(false);
    expect(existsSync(container)).toBe(false);
  });

  it('is named when a load is gone on with, which a stop ends', async () => {
    const [container, state] = places('again');
    writeFileSync(slow.hold, '');
    const names = ['load', source('below'), container, state] as const;
    // Of a directory that cannot be listed: there is something to look at when it goes on.
    expect(await stoppedWhenStalled(names, /The source has not answered since \S+Z: hold-directory\n/)).toBe(1);
    const again = ['resume', join(base, 'again-state')];
    expect(await stoppedWhenStalled(again, /The source has not answered since \S+Z: hold-directory\n/)).toBe(1);
    rmSync(slow.hold);
    const { stdout } = await runProgram('clfsload', again);
    expect(stdout).toContain('Final Job Status: Completed');
  });

  it('does not keep a dry run from its end', async () => {
    writeFileSync(slow.hold, '');
    const { child, done } = startProgram('clfsload', ['load', source('hold-all'), '/unused', '--dry-run']);
    await until(() => existsSync(slow.held));
    child.kill('SIGINT');
    const tooLong = setTimeout(() => child.kill('SIGKILL'), SOON_MS);
    expect((await done).code).toBe(1);
    clearTimeout(tooLong);
  });
});

describe('a source that answers no more in the end', () => {
  const tree = join(base, 'tree');
  beforeAll(() => {
    mkdirSync(join(tree, 'mounted'), { recursive: true });
    writeFileSync(join(tree, 'file'), 'content');
  });

  /** The tree, in which a file system is mounted when it has been loaded, of which no call is answered. */
  function mountedInTheEnd(real: SourceTree): SourceTree {
    let looks = 0;
    const place = (): SourcePlace | undefined => {
      const before = real.place?.();
      const mounts = { ...before?.mounts, [Buffer.from('mounted/new').toString('hex')]: '/ nfs server:/export' };
      return before && looks++ > 0 ? { ...before, mounts } : before;
    };
    const { async } = real;
    return {
      ...real,
      openDirectory(path, expected) {
        if (path.toString() === 'mounted/new') throw new Error('The thread is held up.');
        return real.openDirectory(path, expected);
      },
      place,
      isRemote: true,
      mayHang: true,
      async: async && {
        openDirectory: (path, expected) =>
          path.toString() === 'mounted/new' ? new Promise(() => undefined) : async.openDirectory(path, expected),
      },
    };
  }

  it('keeps no load from ending that is complete', async () => {
    const options: LoadOptions = {
      source: tree,
      destination: join(base, 'end-container'),
      statePath: join(base, 'end-state'),
      threads: 0,
      internals: { wrapSource: mountedInTheEnd },
    };
    expect((await load(options)).status).toBe('Completed');
  });
});
