import { mkdirSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { GEOMETRY } from '../src/format/geometry.js';
import { expectFaithful } from './support/check.js';
import { KillableWorld } from './support/killable-world.js';
import { removeTree } from './support/tree.js';
import { Job, makeBase } from './support/whole-job.js';

const base = makeBase('listing');
afterAll(() => removeTree(base));

describe('a listing that is handed on in parts of 8,192 entries and more', () => {
  // The last piece that the file system gives fills a part, and the entries are no multiple of a chunk's 256.
  it.each([8191, 8192, 8193, 8300, 16_384, 16_500])('%i entries in one piece: every one is loaded', async (entries) => {
    const job = new Job(base, {}, new KillableWorld(), GEOMETRY);
    mkdirSync(job.path('d'));
    for (let i = 0; i < entries; i++) writeFileSync(job.path(`d/${i}`), '');
    const summary = await job.session({ inOnePiece: true });
    expect(summary.error).toBeUndefined();
    expect(summary.status).toBe('Completed');
    expect(summary.progress.filesDone).toBe(entries + 2);
    await expectFaithful(job.source, job.world.store);
  });
});
