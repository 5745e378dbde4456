import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ObjectType } from '../src/format/ids.js';
import { entryFailure, type ListedEntry } from '../src/source/source-tree.js';
import { expectFaithful, SMALL } from './support/check.js';
import { KillableWorld } from './support/killable-world.js';
import { removeTree } from './support/tree.js';
import { Job, makeBase, type Watch } from './support/whole-job.js';

const base = makeBase('names');
afterAll(() => removeTree(base));

/** A directory whose listings give some names twice, and which changes during each of them. */
function living(job: Job, directory: string, twice: readonly string[]): Watch {
  return {
    inOnePiece: true,
    listing(path, entries) {
      if (path !== directory) return entries;
      // Its modification time moves.
      writeFileSync(join(job.path(directory), 'moves'), '');
      rmSync(join(job.path(directory), 'moves'));
      const again = entries.filter(({ name }) => twice.includes(name.toString()));
      return [...again, ...entries];
    },
  };
}

describe('a name that a living directory gives twice', () => {
  it.each([false, true])('counts once, whatever it is (hard links preserved: %s)', async (preserveHardLinks) => {
    const job = new Job(base, { preserveHardLinks });
    for (const name of ['d/file', 'd/other', 'd/sub/below', 'd/linked']) job.file(name);
    job.link('d/linked', 'd/also linked');
    const summary = await job.session(living(job, 'd', ['file', 'sub', 'linked']));
    expect(summary.status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
  });

  it('counts once when it was gone for a moment, and fails', async () => {
    const job = new Job(base, { preserveHardLinks: true });
    for (const name of ['d/file', 'd/other']) job.file(name);
    let looks = 0;
    const watch: Watch = {
      ...living(job, 'd', ['file']),
      entry(path, what) {
        // At the last listing it is seen first when it is not there.
        if (path === 'd/file' && what === 'look' && ++looks === 3)
          throw entryFailure('entry-vanished', 'it is not there any more');
      },
    };
    expect((await job.session(watch)).status).toBe('CompletedWithErrors');
    expect((await job.session()).status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
  });
});

describe('a name of more than 255 bytes', () => {
  const long = Buffer.from('x'.repeat(300));
  const withLong = (entry: ListedEntry): Watch => ({
    inOnePiece: true,
    listing: (path, entries) => (path === 'd' ? [...entries.slice(0, 2), entry, ...entries.slice(2)] : entries),
  });

  it.each([
    ['file', ObjectType.regular],
    ['directory', ObjectType.directory],
    ['entry of unknown type', undefined],
  ] as const)('of a %s fails by itself, and does no harm to its neighbours', async (_, type) => {
    const job = new Job(base, {});
    for (const name of ['a', 'b', 'c', 'd', 'e']) job.file(`d/${name}`);
    job.file('sub/below');
    // It can be looked at; this file system has no such names.
    const looking: Watch = { ...withLong({ name: long, type }), same: { [`d/${long.toString()}`]: 'sub' } };
    for (let session = 0; session < 2; session++) {
      const summary = await job.session(looking);
      expect(summary.status).toBe('CompletedWithErrors');
      expect(summary.progress.filesFailed).toBe(1);
      expect(readFileSync(join(job.statePath, 'failures.jsonl'), 'utf8')).toContain('name-too-long');
      await expectFaithful(job.source, job.world.store, SMALL);
    }
    // It has got another name.
    expect((await job.session()).status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
  });
});

describe('a linked file that is written anew while its names are looked at', () => {
  it('has the content that all its names had at one time', async () => {
    const job = new Job(base, { preserveHardLinks: true });
    job.file('a', 'the first');
    job.link('a', 'b');
    let done = false;
    const watch: Watch = {
      entry(path, what) {
        if (what !== 'open' || done) return;
        done = true;
        // Both have been looked at: the other one is another file now, and never was what this one is now.
        const other = path === 'a' ? 'b' : 'a';
        job.change('', () => {
          rmSync(job.path(other));
          writeFileSync(job.path(other), 'another file');
          writeFileSync(job.path(path), 'the second');
        });
      },
    };
    const summary = await job.session(watch);
    expect(done).toBe(true);
    expect(summary.status).toBe('CompletedWithErrors');
    expect((await job.session()).status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
  });

  it('is read when its names are at rest again', async () => {
    const job = new Job(base, { preserveHardLinks: true });
    job.file('a', 'the first');
    job.link('a', 'b');
    let done = 0;
    const watch: Watch = {
      entry(path, what) {
        if (what !== 'open' || done > 0) return;
        done++;
        writeFileSync(job.path(path), 'the second');
      },
    };
    expect((await job.session(watch)).status).toBe('Completed');
    expect(done).toBe(1);
    await expectFaithful(job.source, job.world.store, SMALL);
  });

  it.each([false, true])(
    'fails with all its names while it changes all the time, and stays one file (asynchronous: %s)',
    async (isAsync) => {
      const job = new Job(base, { preserveHardLinks: true }, new KillableWorld(true));
      job.file('a', 'the first');
      job.link('a', 'b');
      let changes = 0;
      const watch: Watch = {
        isAsync,
        entry(path, what) {
          if (what === 'look' && (path === 'a' || path === 'b'))
            chmodSync(job.path(path), ++changes % 2 ? 0o600 : 0o644);
        },
      };
      const summary = await job.session(watch);
      expect(summary.status).toBe('CompletedWithErrors');
      expect(summary.progress.filesFailed).toBe(1);
      expect(readFileSync(join(job.statePath, 'failures.jsonl'), 'utf8')).toContain('it changes so often');
      expect((await job.session()).status).toBe('Completed');
      await expectFaithful(job.source, job.world.store, SMALL);
    },
  );
});
