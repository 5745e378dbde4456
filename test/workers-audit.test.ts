import { copyFileSync, linkSync, mkdirSync, readdirSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { HAS_NATS } from './support/nats.js';
import { loadWhole, runProgram } from './support/program.js';
import { removeTree, someBytes } from './support/tree.js';
import { makeBase } from './support/whole-job.js';
import { HOLDS, WorkersPlace } from './support/workers-place.js';

const DIRECTORIES = 6;
const FILES_A_DIRECTORY = 150;
/** More than an inode holds: the rest is in a segment. */
const FILE_BYTES = 17_000;
const GONE = /has gone: it was not heard of for \d+ s; \d+ of its tasks are given to others/;

if (!HAS_NATS) console.warn('nats-server is missing: verify, fsck and manifest over workers are not tested');

describe.skipIf(!HAS_NATS)('workers', () => {
  const base = makeBase('workers-audit');
  const source = join(base, 'source');
  const container = join(base, 'container');
  const damaged = join(base, 'damaged');
  let all: WorkersPlace;
  let count = 0;

  beforeAll(async () => {
    mkdirSync(source);
    for (let d = 0; d < DIRECTORIES; d++) {
      const directory = join(source, `d${d}`);
      mkdirSync(directory);
      for (let f = 0; f < FILES_A_DIRECTORY; f++) writeFileSync(join(directory, `f${f}`), someBytes(FILE_BYTES, d + f));
      linkSync(join(directory, 'f7'), join(directory, 'link'));
    }
    writeFileSync(join(source, 'large'), someBytes(20 * 1048576, 5));
    await loadWhole(source, container, join(base, 'state'), '--preserve-hardlinks');
    // Some files are not what they were, in each directory.
    for (let d = 0; d < DIRECTORIES; d++)
      for (let f = 0; f < FILES_A_DIRECTORY; f += 2) utimesSync(join(source, `d${d}`, `f${f}`), 1, 1);
    writeFileSync(join(source, 'd3', 'new'), 'new');
    mkdirSync(damaged);
    for (const [at, name] of readdirSync(container).entries()) {
      copyFileSync(join(container, name), join(damaged, name));
      if (SEGMENT.test(name) && at % 3 === 0) truncateSync(join(damaged, name), 100);
    }
  });
  afterAll(() => removeTree(base));
  beforeEach(async () => {
    all = await WorkersPlace.open(base, `test-${count++}`);
  });
  afterEach(({ task }) => all.close(task.result?.state === 'fail'));

  /** Runs it on one machine, and with three workers, one of which is killed in the midst of it. */
  const compare = async (args: readonly string[], code: number) => {
    const alone = await runProgram('clfsload', args);
    expect(alone.code).toBe(code);
    // However busy this machine is, it has tasks when it is killed, and there are others to do them.
    const first = all.holdingWorker(INODE_OR_SEGMENT, (DIRECTORIES * FILES_A_DIRECTORY) / 2);
    const driver = all.drive(...args);
    await first.said(HOLDS);
    const [second, third] = [all.worker(), all.worker()];
    for (const each of [second, third]) await each.said(/takes part/);
    first.child.kill('SIGKILL');
    const result = await driver.ended();
    expect(driver.output()).toMatch(GONE);
    expect(result.code).toBe(code);
    expect(linesOf(result.stdout)).toEqual(linesOf(alone.stdout));
    for (const each of [second, third]) await each.said(/no more in job .*: the driver has ended/);
    return result;
  };

  it('take the sums of a manifest, in the same order', async () => {
    const { stdout } = await compare(['manifest', '--hash', container], 0);
    expect(stdout.split('\n').filter((line) => line.includes('"sha256"'))).toHaveLength(
      DIRECTORIES * (FILES_A_DIRECTORY + 1) + 1,
    );
    expect(stdout).toBe((await runProgram('clfsload', ['manifest', '--hash', container])).stdout);
  });

  it('read the segments of files for a check, and find what is damaged', async () => {
    const { stdout } = await compare(['fsck', '--content', damaged], 1);
    expect(stdout).toMatch(/damaged-object d0\/f\d+/);
  });

  it('compare a container with its source, byte by byte', async () => {
    const { stdout } = await compare(['verify', '--content', source, container], 1);
    expect(stdout).toContain('+ d3/new\n');
    expect(stdout.match(/^\* d\d\/f\d+: modified /gm)).toHaveLength((DIRECTORIES * FILES_A_DIRECTORY) / 2);
    expect(stdout).toMatch(/\d+ files compared byte by byte/);
  });

  it('compare a container with a manifest, of which they need nothing', async () => {
    const file = all.path('tree.jsonl');
    const { stdout } = await runProgram('clfsload', ['manifest', '--hash', container]);
    writeFileSync(file, stdout.replaceAll('"mode":33188', '"mode":33152').replaceAll('"mode":"0644"', '"mode":"0600"'));
    const result = await compare(['verify', '--content', '--manifest', file, container], 1);
    expect(result.stdout).toMatch(/\* d0\/f1: mode/);
  });

  it('are refused, with the reason on both ends, where they see another source', async () => {
    const other = all.path('other');
    mkdirSync(other);
    writeFileSync(join(other, 'file'), 'another one');
    const wrong = all.worker(`--source=${other}`);
    const driver = all.drive('verify', '--content', source, container);
    await wrong.said(/cannot take part in job .*: its source is another tree/);
    await driver.said(/is refused: its source is another tree/);
    await all.worker().said(/takes part/);
    expect((await driver.ended()).code).toBe(1);
  });

  it('are refused, with the reason on both ends, where they find another container', async () => {
    const elsewhere = all.path('elsewhere');
    mkdirSync(elsewhere);
    const other = all.worker(`--container=${elsewhere}`);
    const driver = all.drive('fsck', '--content', container);
    await other.said(/cannot take part in job .*: it finds another container there/);
    await driver.said(/is refused: it finds another container there/);
    await all.worker().said(/takes part/);
    expect((await driver.ended()).code).toBe(0);
  });

  it('are refused where they find another container, though it has no root that could tell', async () => {
    const rootless = all.path('rootless');
    const elsewhere = all.path('elsewhere');
    mkdirSync(rootless);
    mkdirSync(elsewhere);
    for (const name of readdirSync(container))
      if (INODE_OR_SEGMENT.test(name)) copyFileSync(join(container, name), join(rootless, name));
    const other = all.worker(`--container=${elsewhere}`);
    const driver = all.drive('fsck', '--content', rootless);
    await other.said(/cannot take part in job .*: it finds another container there/);
    await all.worker().said(/takes part/);
    expect((await driver.ended()).stdout).not.toContain('missing-object');
  });

  it('are of use only where something is handed to them', async () => {
    const { code, stderr } = await all.drive('fsck', container).ended();
    expect(code).toBe(2);
    expect(stderr).toContain('--workers needs --content');
    expect((await all.drive('manifest', container).ended()).stderr).toContain('--workers needs --hash');
    const lease = await runProgram('clfsload', ['fsck', container, '--worker-lease=3s']);
    expect(lease.stderr).toContain('--worker-lease needs --workers');
  });
});

const SEGMENT = /\.0008\./;
const INODE_OR_SEGMENT = /\.000[18]\./;

/** Findings and differences come in no order. */
function linesOf(text: string): readonly string[] {
  return text.split('\n').sort();
}
