import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { HAS_NATS } from './support/nats.js';
import { loadWhole, runProgram } from './support/program.js';
import { type Running, until } from './support/run-workers.js';
import { removeTree, someBytes } from './support/tree.js';
import { makeBase } from './support/whole-job.js';
import { WorkersPlace } from './support/workers-place.js';

const DIRECTORIES = 5;
const FILES_A_DIRECTORY = 300;
const LARGE_BYTES = 150 * 1048576;
const GONE = /has gone: it was not heard of for \d+ s; \d+ of its tasks are given to others/;

if (!HAS_NATS) console.warn('nats-server is missing: exports over workers are not tested');

describe.skipIf(!HAS_NATS)('workers', () => {
  const base = makeBase('workers-export');
  const source = join(base, 'source');
  const container = join(base, 'container');
  let all: WorkersPlace;
  let count = 0;

  beforeAll(async () => {
    mkdirSync(source);
    for (let d = 0; d < DIRECTORIES; d++) {
      const directory = join(source, `d${d}`);
      mkdirSync(join(directory, 'empty'), { recursive: true });
      for (let f = 0; f < FILES_A_DIRECTORY; f++) writeFileSync(join(directory, `f${f}`), `${d}/${f} `.repeat(f % 50));
      for (let l = 0; l < 20; l++) linkSync(join(directory, `f${l}`), join(directory, `link${l}`));
    }
    mkdirSync(join(source, 'large'));
    writeFileSync(join(source, 'large', 'large'), someBytes(LARGE_BYTES, 5));
    await loadWhole(source, container, join(base, 'state'), '--preserve-hardlinks', '--compression-type=DISABLED');
  });
  afterAll(() => removeTree(base));
  beforeEach(async () => {
    all = await WorkersPlace.open(base, `test-${count++}`);
  });
  afterEach(({ task }) => all.close(task.result?.state === 'fail'));

  const target = () => all.path('target');
  const write = (...more: string[]) => all.drive('export', container, ...more, '--late-arrival=2s');
  const names = () => (existsSync(target()) ? readdirSync(target(), { recursive: true, encoding: 'utf8' }) : []);
  const hasFiles = (some: number) => until(() => names().length > some);
  /** The export has come to its end, and the target is the source, with nothing else in it. */
  const expectWhole = async (driver: Running, from = source) => {
    const { code, stdout, stderr } = await driver.ended();
    expect(`${stdout}${stderr}`).toContain('0 failed');
    expect(code).toBe(0);
    const check = await runProgram('clfsload', ['verify', '--content', target(), container]);
    expect(check.stdout).toContain(
      ' 0 different, 0 only in the source, 0 only in the container, 0 could not be checked',
    );
    expect(names().sort()).toEqual(readdirSync(from, { recursive: true, encoding: 'utf8' }).sort());
  };

  it('write a tree together', async () => {
    const [first, second] = [all.worker(), all.worker()];
    const driver = write(target());
    for (const each of [first, second]) await each.said(/takes part/);
    await expectWhole(driver);
    for (const each of [first, second]) await each.said(/no more in job .*: the driver has ended/);
    const again = write(target());
    expect((await again.ended()).stdout).toMatch(/0 entries written .*, 0 replaced|there already/);
  });

  it('may be killed: what one had is done by others', async () => {
    const first = all.worker();
    const driver = write(target());
    // As long as it is alone it has tasks.
    await hasFiles(100);
    first.child.kill('SIGKILL');
    all.worker();
    all.worker();
    await expectWhole(driver);
    expect(driver.output()).toMatch(GONE);
  });

  it('may be frozen for longer than its lease, and go on: nothing that one does then hits what others have written', async () => {
    const first = all.worker();
    const driver = write(target());
    await hasFiles(100);
    first.child.kill('SIGSTOP');
    const status = await runProgram('clfsload', ['status', all.path('.target.clfsload-export'), '--json']);
    expect(JSON.parse(status.stdout)).toMatchObject({
      state: 'running',
      workers: [{ name: expect.stringContaining(`/${first.child.pid}`), threads: 1, slow: false }],
    });
    all.worker();
    await driver.said(GONE);
    first.child.kill('SIGCONT');
    await first.said(/no more in job/);
    await expectWhole(driver);
  });

  it('may be killed in the middle of a large file', async () => {
    const first = all.worker();
    const driver = write('large/large', target());
    const temporary = () =>
      readdirSync(all.place)
        .filter((name) => /^\.clfsload-.*-f\d+$/.test(name))
        .map((name) => join(all.place, name));
    await until(() => temporary().some((name) => statSync(name).blocks * 512 > 8 * 1048576));
    first.child.kill('SIGKILL');
    all.worker();
    all.worker();
    const { code } = await driver.ended();
    expect(driver.output()).toMatch(GONE);
    expect(code).toBe(0);
    const [is, was] = [target(), join(source, 'large', 'large')].map((path) => statSync(path));
    expect([is.size, is.mtimeMs, is.mode]).toEqual([was.size, was.mtimeMs, was.mode]);
    expect(readFileSync(target()).equals(readFileSync(join(source, 'large', 'large')))).toBe(true);
    expect(readdirSync(all.place).filter((name) => name.startsWith('.clfsload'))).toEqual([]);
  });

  it('write for a driver that was killed and goes on', async () => {
    const first = all.worker();
    const killed = write(target());
    await first.said(/takes part/);
    await hasFiles(100);
    killed.child.kill('SIGKILL');
    await killed.ended();
    const driver = write(target());
    await driver.said(/Going on with the export/);
    await expectWhole(driver);
    await first.said(/no more in job .*: (?:the driver has not answered in time|the driver has ended)/);
  });

  it('write for an export that is resumed by its state alone, until it is told to go on without them', async () => {
    const state = all.path('.target.clfsload-export');
    const killDriver = async (driver: Running) => {
      await hasFiles(100);
      driver.child.kill('SIGKILL');
      await driver.ended();
    };
    const first = all.worker();
    const killed = write(target());
    await first.said(/takes part/);
    await killDriver(killed);
    // The worker is told of the end of the job that it was in, and takes part in the one that goes on.
    const resumed = all.start('resume', state, '--late-arrival=2s');
    await resumed.said(/takes part with 1 thread/);
    await killDriver(resumed);
    first.child.kill('SIGKILL');
    const alone = all.start('resume', state, '--workers=', '--threads=1', '--late-arrival=2s');
    await expectWhole(alone);
    expect(alone.output()).not.toMatch(/takes part|waits for one/);
  });

  it('go on without workers where a driver with some was killed, and leave nothing behind', async () => {
    const first = all.worker();
    const killed = write(target());
    await first.said(/takes part/);
    await hasFiles(100);
    killed.child.kill('SIGKILL');
    await killed.ended();
    await expectWhole(all.start('export', container, target()));
  });

  it('are refused, with the reason on both ends, where they see another target', async () => {
    const other = all.path('other');
    mkdirSync(other);
    const wrong = all.worker(`--target=${other}`);
    const driver = write(target());
    await wrong.said(/cannot take part in job .*: its target is another directory/);
    await driver.said(/is refused: its target is another directory/);
    expect(readdirSync(other)).toEqual([]);
    all.worker();
    await expectWhole(driver);
  });

  it('are not there for what is done in one place', async () => {
    const salvage = await write(target(), '--salvage').ended();
    expect(salvage.stderr).toContain('cannot be left to workers');
    expect((await write(target(), '--dry-run').ended()).stderr).toMatch(/^A dry run takes no notice of .*--workers/m);
    expect(
      (await all.start('export', container, '--tar', '-', `--workers=${all.server.url}`).ended()).stderr,
    ).toContain('--workers cannot be used with --tar');
  });
});
