import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { HAS_NATS, startNats } from './support/nats.js';
import { loadWhole } from './support/program.js';
import { run, until } from './support/run-workers.js';
import { removeTree } from './support/tree.js';
import { makeBase } from './support/whole-job.js';

const BIN = new URL('../bin/clfsload', import.meta.url).pathname;
/** Whether processes can have mounts of their own: as root, where the system lets it. */
const HAS_MOUNTS = spawnSync('unshare', ['-m', 'sh', '-c', 'mount -t tmpfs none /mnt']).status === 0;

if (!HAS_MOUNTS)
  console.warn('no mounts can be made here: that a worker has those of the driver is not tested with them');

describe.skipIf(!HAS_NATS || !HAS_MOUNTS)('a worker on a machine where something is not mounted', () => {
  const base = makeBase('workers-mounts');
  afterAll(() => removeTree(base));

  /** A driver on a machine on which something is mounted at `place`, and a worker where nothing is: says why it is refused. */
  const expectRefusal = async (place: string, command: string, refusal: string) => {
    const server = await startNats();
    const driven = `${process.execPath} ${BIN} ${command} --workers=${server.url} --threads=0`;
    const script = `mount -t tmpfs none ${place} && echo data > ${place}/file && exec ${driven}`;
    const driver = spawn('unshare', ['-m', 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [driver.stdout, driver.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    const ended = new Promise((resolve) => driver.once('exit', resolve));
    const worker = run(['worker', `--join=${server.url}`, '--threads=1']);
    try {
      await worker.said(new RegExp(`cannot take part in job .*: ${refusal}`));
      await until(() => output.includes(`is refused: ${refusal}`));
      driver.kill('SIGINT');
      await ended;
      return output;
    } finally {
      driver.kill('SIGKILL');
      worker.child.kill('SIGKILL');
      await Promise.all([ended, worker.done]);
      await server.close();
    }
  };

  it('is refused, on both ends: it would load an empty directory in its place', async () => {
    const source = join(base, 'source');
    mkdirSync(join(source, 'project', 'mounted'), { recursive: true });
    for (let f = 0; f < 20; f++) writeFileSync(join(source, `f${f}`), `${f}`);
    const output = await expectRefusal(
      join(source, 'project', 'mounted'),
      `load ${source} ${join(base, 'container')} --state-path=${join(base, 'state')}`,
      'its source lacks what is mounted at "project/mounted"',
    );
    expect(output).toContain('Final Job Status: Cancelled');
  });

  it('is refused by an export, too: what it wrote would be hidden below what the driver has mounted there', async () => {
    const tree = join(base, 'tree');
    mkdirSync(join(tree, 'big'), { recursive: true });
    for (let f = 0; f < 20; f++) writeFileSync(join(tree, 'big', `f${f}`), `${f}`);
    const [container, target] = [join(base, 'exported'), join(base, 'target')];
    await loadWhole(tree, container, join(base, 'load-state'));
    mkdirSync(join(target, 'big'), { recursive: true });
    await expectRefusal(
      join(target, 'big'),
      `export ${container} ${target}`,
      'its target lacks what is mounted at "big" on the driver\'s machine',
    );
    expect(readdirSync(join(target, 'big'))).toEqual([]);
  });

  it('is refused, on both ends, where only it has something mounted: it would load that in place of the source', async () => {
    const source = join(base, 'plain');
    for (const tree of [source, join(base, 'scratch')]) {
      mkdirSync(join(tree, 'scratch'), { recursive: true });
      for (let f = 0; f < 20; f++) writeFileSync(join(tree, 'scratch', `f${f}`), tree);
    }
    const server = await startNats();
    const place = join(source, 'scratch');
    const withMount = ['unshare', '-m', 'sh', '-c', `mount --bind ${base}/scratch/scratch ${place} && exec "$@"`, 'sh'];
    const worker = run(['worker', `--join=${server.url}`, '--threads=1'], {}, withMount);
    const state = `--state-path=${join(base, 'plain-state')}`;
    const flags = [state, `--workers=${server.url}`, '--threads=0'];
    const driver = run(['load', source, join(base, 'plain-container'), ...flags]);
    try {
      await worker.said(
        /cannot take part in job .*: its source has something mounted at "scratch" that is not mounted/,
      );
      await driver.said(/is refused: its source has something mounted at "scratch"/);
    } finally {
      for (const { child } of [worker, driver]) child.kill('SIGKILL');
      await Promise.all([worker.done, driver.done]);
      await server.close();
    }
  });

  it.each([
    ['is mounted no more', 'umount -l "$1"', 'what was mounted at "mounted" of the source is not mounted any more'],
    [
      'is covered by something else',
      'mount -t tmpfs none "$1"',
      'something else has been mounted at "mounted" of the source',
    ],
  ])(
    'goes when what was mounted %s, and what it found there is no failure of the job',
    async (_what, command, reason) => {
      const [source, other] = [join(base, 'living'), join(base, 'other')];
      for (const left of ['living', 'other', 'living-container', 'living-state']) removeTree(join(base, left));
      const place = join(source, 'mounted');
      mkdirSync(place, { recursive: true });
      for (let f = 0; f < 20; f++) writeFileSync(join(source, `f${f}`), `${f}`);
      for (let d = 0; d < 300; d++) {
        mkdirSync(join(other, `d${d}`), { recursive: true });
        for (let f = 0; f < 40; f++) writeFileSync(join(other, `d${d}`, `f${f}`), `${d} ${f}`.repeat(100));
      }
      const server = await startNats();
      // Each has mounts of its own.
      const withMount = ['unshare', '-m', 'sh', '-c', `mount --bind ${other} ${place} && exec "$@"`, 'sh'];
      const [container, state] = [join(base, 'living-container'), join(base, 'living-state')];
      mkdirSync(container);
      const job = ['load', source, container, `--state-path=${state}`, `--workers=${server.url}`, '--threads=0'];
      const driver = run([...job, '--worker-lease=5s', '--late-arrival=1s'], {}, withMount);
      const join1 = ['worker', `--join=${server.url}`, '--threads=1'];
      const first = run(join1, {}, withMount);
      const all = [driver, first];
      try {
        await first.said(/takes part in job/);
        await until(() => existsSync(container) && readdirSync(container).length > 50);
        const there = ['-t', String(first.child.pid), '-m'];
        expect(spawnSync('nsenter', [...there, 'sh', '-c', command, 'sh', place]).status).toBe(0);
        await first.said(new RegExp(`no more in job .*${reason}`));
        await driver.said(new RegExp(`has gone: ${reason}`));
        all.push(run(join1, {}, withMount));
        const { code, stdout } = await driver.ended();
        expect(stdout).toContain('Final Job Status: Completed\n');
        expect(code).toBe(0);
        const verified = run(['verify', source, container, '--content'], {}, withMount);
        const checked = run(['fsck', container, '--content'], {}, withMount);
        all.push(verified, checked);
        expect((await verified.ended()).code).toBe(0);
        expect((await checked.ended()).stdout).toContain(': 0 errors, 0 warnings');
      } finally {
        for (const { child } of all) child.kill('SIGKILL');
        await Promise.all(all.map(({ done }) => done));
        await server.close();
      }
    },
  );
});
