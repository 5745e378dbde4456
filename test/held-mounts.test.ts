import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { removeTree } from './support/tree.js';
import { makeBase } from './support/whole-job.js';

const LIBRARY = new URL('../dist/index.js', import.meta.url).pathname;
/** Whether processes can have mounts of their own: as root, where the system lets it. */
const HAS_MOUNTS = spawnSync('unshare', ['-m', 'sh', '-c', 'mount -t tmpfs none /mnt']).status === 0;

if (!HAS_MOUNTS) console.warn('no mounts can be made here: that a load holds those of its source is not tested');

describe.skipIf(!HAS_MOUNTS)('a file system that is mounted in the source', () => {
  const base = makeBase('held-mounts');
  afterAll(() => removeTree(base));

  it('is held while a session runs, also when all of it is loaded, and not any more after that', () => {
    const source = join(base, 'source');
    mkdirSync(join(source, 'm'), { recursive: true });
    writeFileSync(join(source, 'beside'), 'beside');
    const program = `
      import { spawnSync } from 'node:child_process';
      import { load } from ${JSON.stringify(LIBRARY)};
      const unmount = () => spawnSync('umount', [${JSON.stringify(join(source, 'm'))}]).status;
      const told = [];
      const { status } = await load({
        source: ${JSON.stringify(source)},
        destination: ${JSON.stringify(join(base, 'container'))},
        statePath: ${JSON.stringify(join(base, 'state'))},
        onEvent(event) {
          if (event.kind === 'phase' && event.phase === 'Finalize') told.push(unmount() === 0);
        },
      });
      console.log(status, told.join(), unmount() === 0);`;
    writeFileSync(join(base, 'program.mjs'), program);
    const script = `mount -t tmpfs none ${source}/m && echo small > ${source}/m/small && exec ${process.execPath} ${base}/program.mjs`;
    const { stdout, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', script], { encoding: 'utf8', timeout: 60_000 });
    expect({ stdout, stderr }).toEqual({ stdout: 'Completed false true\n', stderr: '' });
  });
});
