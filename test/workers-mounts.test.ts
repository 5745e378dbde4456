import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { HAS_NATS, startNats } from './support/nats.js';
import { run } from './support/run-workers.js';
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

  it('is refused, on both ends: it would load an empty directory in its place', async () => {
    const source = join(base, 'source');
    mkdirSync(join(source, 'project', 'mounted'), { recursive: true });
    for (let f = 0; f < 20; f++) writeFileSync(join(source, `f${f}`), `${f}`);
    const server = await startNats();
    const load = `load ${source} ${join(base, 'container')} --state-path=${join(base, 'state')} --workers=${server.url} --threads=0`;
    const script = `mount -t tmpfs none ${source}/project/mounted && echo data > ${source}/project/mounted/file && exec ${process.execPath} ${BIN} ${load}`;
    const driver = spawn('unshare', ['-m', 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    driver.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    const ended = new Promise((resolve) => driver.once('exit', resolve));
    const worker = run(['worker', `--join=${server.url}`, '--threads=1']);
    try {
      await worker.said(/cannot take part in job .*: its source lacks what is mounted at "project\/mounted"/);
      while (!output.includes('is refused: its source lacks what is mounted at "project/mounted"'))
        await new Promise((resolve) => driver.stdout.once('data', resolve));
      driver.kill('SIGINT');
      await ended;
      expect(output).toContain('Final Job Status: Cancelled');
    } finally {
      driver.kill('SIGKILL');
      worker.child.kill('SIGKILL');
      await Promise.all([ended, worker.done]);
      await server.close();
    }
  });
});
