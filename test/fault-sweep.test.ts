import { existsSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { load } from '../src/load/load.js';
import type { LoadSummary } from '../src/load/options.js';
import { CURRENT_DIRECTORY, makeNode } from '../src/posix/libc.js';
import { entryFailure, type SourceTree } from '../src/source/source-tree.js';
import { expectFaithful, SMALL } from './support/check.js';
import { CALL_FAULTS, COMMIT_FAULTS, FaultyWorld } from './support/faults.js';
import { removeTree, someBytes } from './support/tree.js';

const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'clfs-sweep-'));
const source = join(base, 'source');
const BAD = ['d1/bad', 'd2/sub/bad'];
let session = 0;
const STRIDE = Number(process.env.SWEEP_STRIDE ?? 1);

/**
 * About 200 entries: small files, several segments and indirect blocks, links, special files, a directory of several
 * segments.
 */
function makeSweepTree(): void {
  for (const directory of ['d1', 'd2/sub', 'd3/empty', 'wide']) mkdirSync(join(source, directory), { recursive: true });
  for (let i = 0; i < 120; i++) writeFileSync(join(source, 'wide', `entry-${i}-${'x'.repeat(i % 30)}`), `w${i}`);
  for (let i = 0; i < 40; i++) writeFileSync(join(source, 'd2', `f${i}`), someBytes(i * 17, i));
  writeFileSync(join(source, 'd1', 'medium'), someBytes(2000, 1));
  writeFileSync(join(source, 'd1', 'large'), someBytes(600 + 2500 * 5 + 7, 2));
  writeFileSync(join(source, 'd2', 'sub', 'larger'), someBytes(600 + 2500 * 17, 3));
  writeFileSync(join(source, 'd1', 'linked'), someBytes(3000, 4));
  linkSync(join(source, 'd1', 'linked'), join(source, 'd2', 'linked-too'));
  linkSync(join(source, 'd1', 'linked'), join(source, 'd2', 'sub', 'linked-three'));
  writeFileSync(join(source, 'large-linked'), someBytes(600 + 2500 * 6, 5));
  linkSync(join(source, 'large-linked'), join(source, 'd3', 'large-linked'));
  symlinkSync('d1/large', join(source, 'symlink'));
  linkSync(join(source, 'symlink'), join(source, 'd3', 'symlink'));
  makeNode(CURRENT_DIRECTORY, Buffer.from(join(source, 'd3', 'fifo')), 0o010644, 0, 0);
  for (const path of BAD) writeFileSync(join(source, path), 'cannot be read');
}

/** Lets the bad files fail. */
function failing(tree: SourceTree): SourceTree {
  return {
    ...tree,
    openDirectory(path, expected) {
      const directory = tree.openDirectory(path, expected);
      return {
        attributes: () => directory.attributes(),
        list: () => directory.list(),
        attributesOf: (name) => directory.attributesOf(name),
        readLink: (name) => directory.readLink(name),
        openFile(name) {
          if (name.toString() === 'bad') throw entryFailure('entry-unreadable', 'permission denied');
          return directory.openFile(name);
        },
        close: () => directory.close(),
      };
    },
  };
}

async function run(
  world: FaultyWorld,
  statePath: string,
  newSession: boolean,
  broken = true,
): Promise<LoadSummary | undefined> {
  try {
    return await load({
      source,
      destination: '/unused',
      statePath,
      newSession,
      preserveHardLinks: true,
      logLevel: 'ERROR',
      internals: {
        container: world.container,
        clock: world.clock,
        hooks: world.hooks,
        geometry: SMALL,
        wrapSource: broken ? failing : undefined,
      },
    });
  } catch {
    return undefined;
  }
}

/** One job with one fault, resumed until it ends. @returns whether the fault happened */
async function sweep(world: FaultyWorld): Promise<boolean> {
  const statePath = join(base, `state-${session++}`);
  let summary = await run(world, statePath, true);
  for (let attempt = 0; summary?.status !== 'CompletedWithErrors'; attempt++) {
    expect(attempt).toBeLessThan(4);
    world.revive();
    // A job that was refused before it began has left no state: it is begun again.
    const exists = existsSync(join(statePath, 'job.db'));
    if (!exists && world.store.blobs.size > 0) world.store.blobs.clear();
    summary = await run(world, statePath, !exists);
  }
  expect(summary.progress.filesFailed).toBe(BAD.length);
  // What is still under way arrives now, when nobody reckons with it any more.
  await world.deliver();
  await expectFaithful(source, world.store, SMALL, BAD);
  rmSync(statePath, { recursive: true, force: true });
  return world.fired;
}

describe('one fault at every place', () => {
  let calls = 0;
  let commits = 0;
  beforeAll(async () => {
    makeSweepTree();
    const world = new FaultyWorld();
    const summary = await run(world, join(base, 'undisturbed'), true);
    expect(summary?.status).toBe('CompletedWithErrors');
    await expectFaithful(source, world.store, SMALL, BAD);
    calls = world.calls;
    commits = world.commits;
  });
  afterAll(() => removeTree(base));

  it.each(CALL_FAULTS)('%s at every call to the container', async (fault) => {
    for (let at = 1; at <= calls; at += STRIDE) {
      try {
        expect(await sweep(new FaultyWorld({ call: { at, fault } })), 'the fault has to happen').toBe(true);
      } catch (error) {
        throw new Error(`${fault} at call ${at} of ${calls}: ${(error as Error).message}`, { cause: error });
      }
    }
    console.log(`${fault}: ${calls} calls`);
  });

  it.each(COMMIT_FAULTS)('%s at every commit of the state', async (fault) => {
    // How much one commit takes together depends on the moment: on until there is none of that number any more.
    let fired = 0;
    for (let at = 1; ; at += STRIDE) {
      try {
        if (!(await sweep(new FaultyWorld({ commit: { at, fault } })))) break;
      } catch (error) {
        throw new Error(`${fault} at commit ${at} of about ${commits}: ${(error as Error).message}`, { cause: error });
      }
      fired++;
    }
    expect(fired * STRIDE).toBeGreaterThan(commits / 2);
    console.log(`${fault}: ${fired} commits`);
  });

  it('failures are repaired by a later session, faults at every call included', async () => {
    const world = new FaultyWorld();
    const statePath = join(base, 'repair');
    expect((await run(world, statePath, true))?.status).toBe('CompletedWithErrors');
    expect((await run(world, statePath, false))?.status).toBe('CompletedWithErrors');
    const summary = await run(world, statePath, false, false);
    expect(summary?.error).toBeUndefined();
    expect(summary?.status).toBe('Completed');
    await expectFaithful(source, world.store, SMALL);
    expect((await run(world, statePath, false, false))?.status).toBe('Completed');
  });
});
