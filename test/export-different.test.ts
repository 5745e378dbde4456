import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { SYSTEM_CALLS, type TargetCalls } from '../src/export/target/target-calls.js';
import { differencesOf, snapshotOf } from './export-lives/snapshot.js';
import { exportSmall } from './support/export-small.js';
import { mountSlowFs, whyNoSlowFs } from './support/slow-fs.js';
import { loadSmall } from './support/small-container.js';
import { isRoot, removeTree } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-export-different-'));
afterAll(() => removeTree(base));

const MODIFIED = 1_500_000_000;

/** Changes something by hand, so that its time tells nothing of it. */
function quietly(path: string, change: () => void): void {
  change();
  lutimesSync(path, MODIFIED, MODIFIED);
}

function makeSource(source: string): void {
  mkdirSync(source);
  writeFileSync(join(source, 'file'), 'content', { mode: 0o640 });
  writeFileSync(join(source, 'one'), 'of two names', { mode: 0o600 });
  linkSync(join(source, 'one'), join(source, 'two'));
  symlinkSync('here', join(source, 'link'));
  if (isRoot) execFileSync('mknod', [join(source, 'device'), 'b', '8', '1']);
  for (const name of isRoot ? ['file', 'one', 'link', 'device'] : ['file', 'one', 'link'])
    lutimesSync(join(source, name), MODIFIED, MODIFIED);
}

it('what differs in more than type, time and length is given what it should have, and nothing else is touched', async () => {
  const source = join(base, 'source');
  makeSource(source);
  const expected = snapshotOf(source);
  const container = await loadSmall(source, base);
  const target = join(base, 'target');
  const entries = expected.size;
  expect(await exportSmall(container, base, target)).toMatchObject({ written: entries, failed: 0 });
  const [file, one, link, device] = ['file', 'one', 'link', 'device'].map((name) => join(target, name));
  const inode = lstatSync(file).ino;
  quietly(file, () => chmodSync(file, 0o777));
  if (isRoot) chownSync(file, 5, 5);
  quietly(one, () => chmodSync(one, 0o444));
  rmSync(link);
  quietly(link, () => symlinkSync('away', link));
  if (isRoot) {
    rmSync(device);
    quietly(device, () => execFileSync('mknod', [device, 'b', '8', '2']));
  }
  const changed = isRoot ? 4 : 3;
  // The directory counts as written; of a file with two names the first one gets what both have.
  expect(await exportSmall(container, base, target)).toMatchObject({
    status: 'Completed',
    written: 1,
    replaced: changed,
    left: entries - 1 - changed,
    bytes: 0,
  });
  expect(differencesOf(snapshotOf(target), expected)).toEqual([]);
  if (isRoot) expect(lstatSync(device).rdev).toBe(lstatSync(join(source, 'device')).rdev);
  expect(lstatSync(file).ino).toBe(inode);
  expect(await exportSmall(container, base, target)).toMatchObject({ written: 1, replaced: 0, left: entries - 1 });
});

it('a file with a name elsewhere keeps its mode there: what differs is replaced', async () => {
  const container = await loadSmall(join(base, 'source'), base);
  const target = join(base, 'beside');
  await exportSmall(container, base, target);
  linkSync(join(target, 'file'), join(base, 'elsewhere'));
  quietly(join(target, 'file'), () => chmodSync(join(target, 'file'), 0o777));
  expect(await exportSmall(container, base, target)).toMatchObject({ written: 1, replaced: 1 });
  expect(lstatSync(join(base, 'elsewhere')).mode & 0o777).toBe(0o777);
  expect(lstatSync(join(target, 'file')).mode & 0o777).toBe(0o640);
});

it('where modes are not kept, which is not told, nothing counts as replaced', async () => {
  const container = await loadSmall(join(base, 'source'), base);
  const target = join(base, 'not kept');
  const calls: TargetCalls = { ...SYSTEM_CALLS, setModeFd: () => undefined, setModeOfPlace: () => undefined };
  const all = await exportSmall(container, base, target, { internals: { calls } });
  chmodSync(join(target, 'file'), 0o601);
  lutimesSync(join(target, 'file'), MODIFIED, MODIFIED);
  expect(await exportSmall(container, base, target, { internals: { calls } })).toMatchObject({
    written: 1,
    replaced: 0,
    left: all.written - 1,
  });
});

const why = whyNoSlowFs();

it.skipIf(why !== undefined)(
  'a target that drops owners and modes is told of, and nothing is replaced at each repeat',
  async () => {
    const source = join(base, 'single names');
    mkdirSync(source);
    writeFileSync(join(source, 'file'), 'content', { mode: 0o640 });
    lutimesSync(join(source, 'file'), MODIFIED, MODIFIED);
    const container = await loadSmall(source, base);
    const target = mountSlowFs(0, { squash: true });
    try {
      const said: string[] = [];
      const run = () =>
        exportSmall(container, base, join(target.mountPoint, 'tree'), { onMessage: (text) => said.push(text) });
      const first = await run();
      expect(first.status).toBe('Completed');
      expect(said).toEqual([expect.stringMatching(/^The target does not keep all owners, modes that it is given: /)]);
      chmodSync(join(target.back, 'tree/file'), 0o606);
      lutimesSync(join(target.back, 'tree/file'), MODIFIED, MODIFIED);
      expect(await run()).toMatchObject({ replaced: 0, left: first.written - 1 });
      // What is mounted in it keeps more.
      mkdirSync(join(source, 'inner'));
      writeFileSync(join(source, 'inner/file'), 'content', { mode: 0o640 });
      const wider = await loadSmall(source, base);
      const inner = join(target.mountPoint, 'tree/inner');
      mkdirSync(inner);
      execFileSync('mount', ['-t', 'tmpfs', 'inner', inner]);
      try {
        const runWider = () => exportSmall(wider, base, join(target.mountPoint, 'tree'));
        await runWider();
        chmodSync(join(inner, 'file'), 0o606);
        expect(await runWider()).toMatchObject({ replaced: 1 });
        expect(lstatSync(join(inner, 'file')).mode & 0o777).toBe(0o640);
      } finally {
        execFileSync('umount', ['-l', inner]);
      }
    } finally {
      target.unmount();
    }
  },
);

// For loop mounts, as for FUSE.
it.skipIf(why !== undefined)('times that a target does not have are told of, and replace nothing', async () => {
  const source = join(base, 'late');
  mkdirSync(source);
  writeFileSync(join(source, 'file'), 'of the year 2100');
  lutimesSync(join(source, 'file'), 4_102_444_800.5, 4_102_444_800.5);
  const container = await loadSmall(source, base);
  const image = join(base, 'image');
  writeFileSync(image, '');
  truncateSync(image, 8 * 1048576);
  execFileSync('mkfs.ext4', ['-q', '-I', '128', image], { stdio: 'ignore' });
  const mounted = mkdtempSync(join(base, 'old-'));
  execFileSync('mount', ['-o', 'loop', image, mounted]);
  try {
    const said: string[] = [];
    const run = () => exportSmall(container, base, join(mounted, 'tree'), { onMessage: (text) => said.push(text) });
    await run();
    expect(said).toEqual([expect.stringMatching(/keep all times .* to 2038-01-19\)/)]);
    expect(await run()).toMatchObject({ written: 1, replaced: 0, left: 1 });
  } finally {
    execFileSync('umount', ['-l', mounted]);
  }
});
