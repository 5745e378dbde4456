import { existsSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MemoryContainer } from '../src/container/memory-container.js';
import { parseExportChoice } from '../src/export/choice.js';
import { exportDryRun } from '../src/export/dry-run.js';
import type { ExportJobOptions } from '../src/export/options.js';
import { Random } from './lives/random.js';
import { exportSmall } from './support/export-small.js';
import { copyOf, loadSmall, objectNames, readSmall } from './support/small-container.js';
import { removeTree } from './support/tree.js';

const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'clfs-export-dry-run-'));
afterAll(() => removeTree(base));
const OVERWRITE = ['never', 'if-different', 'always'] as const;
const PATHS = ['a', 'b/c', 'b/d/e', 'b/d/large', 'f/g', 'f/link', 'f/h/linked', 'b/linked'];
const DIRECTORIES = ['b', 'b/d', 'f', 'f/h'];

let whole: MemoryContainer;
beforeAll(async () => {
  const source = join(base, 'source');
  for (const path of PATHS) mkdirSync(join(source, dirname(path)), { recursive: true });
  for (const path of PATHS) {
    if (path === 'f/link') symlinkSync('nowhere', join(source, path));
    else if (path === 'b/linked') linkSync(join(source, 'f/h/linked'), join(source, path));
    else writeFileSync(join(source, path), path.repeat(path.endsWith('large') ? 2000 : 2));
  }
  whole = await loadSmall(source, base);
});

type Wish = Pick<ExportJobOptions, 'overwrite' | 'choice'>;

/** What a dry run tells, and what the export then does. */
async function both(container: MemoryContainer, target: string, wish: Wish) {
  const told = await exportDryRun(await readSmall(container), { target, ...wish });
  const { written, replaced, left, failed, excluded, bytes } = await exportSmall(container, base, target, {
    ...wish,
    maxErrors: 1000,
  });
  return { told, done: { written, replaced, left, failed, excluded, bytes } };
}

/** Where one of several names of a file is missing it is not foretold which of the others the rest become links of. */
function holdsLinked(path: string): boolean {
  return PATHS.some((each) => each.endsWith('linked') && (each === path || each.startsWith(`${path}/`)));
}

/** Puts something in the way of an entry. */
function furnish(target: string, path: string, kind: 'file' | 'directory' | 'symlink'): void {
  const at = join(target, path);
  // What is above it may have been furnished, too.
  if (!existsSync(dirname(at))) mkdirSync(dirname(at), { recursive: true });
  rmSync(at, { recursive: true, force: true });
  if (kind === 'directory') mkdirSync(at);
  else if (kind === 'symlink') symlinkSync(base, at);
  else writeFileSync(at, 'of somebody else');
}

describe('a dry run of an export', () => {
  it('tells what is done, whatever is there already', async () => {
    const differing: string[] = [];
    for (let seed = 1; seed <= 60; seed++) {
      const random = new Random(seed);
      const target = join(base, `target-${seed}`);
      const overwrite = random.pick(OVERWRITE);
      if (random.chance(50)) await exportSmall(whole, base, target);
      else mkdirSync(target);
      const furnished: string[] = [];
      for (let count = random.below(4); count > 0; count--) {
        const path = random.pick([...PATHS, ...DIRECTORIES].filter((each) => !holdsLinked(each)));
        const kind = random.pick(['file', 'directory', 'symlink'] as const);
        if (furnished.some((each) => path.startsWith(`${each}/`))) continue;
        furnish(target, path, kind);
        furnished.push(path);
      }
      const choice = random.chance(20) ? parseExportChoice('*e*;a', 'b/d', 'g') : undefined;
      const { told, done } = await both(whole, target, { overwrite, choice });
      if (JSON.stringify(told) !== JSON.stringify(done))
        differing.push(
          `${seed}: --overwrite=${overwrite}, there ${furnished.join(', ')}: ${JSON.stringify(told)}, done ${JSON.stringify(done)}`,
        );
      removeTree(target);
    }
    expect(differing).toEqual([]);
  });

  it('tells what fails since the container lacks it', async () => {
    for (const [name, type] of [
      ['an inode', 1],
      ['a directory', 2],
    ] as const) {
      const container = copyOf(whole);
      for (const blob of objectNames(container, type)
        .filter((each) => !each.startsWith('00000064'))
        .slice(0, 2))
        container.blobs.delete(blob);
      const { told, done } = await both(container, join(base, `lacks ${name}`), {
        choice: parseExportChoice('*e*', '', ''),
      });
      expect(told.failed, name).toBeGreaterThan(0);
      expect(told, name).toEqual(done);
    }
  });

  it('refuses a target without a parent, as the export does', async () => {
    const target = join(base, 'nowhere', 'target');
    await expect(exportDryRun(await readSmall(whole), { target })).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining('is not an existing directory'),
    });
  });
});
