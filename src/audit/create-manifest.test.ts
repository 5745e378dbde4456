import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blobNamed, editNamed, LARGE_FILE_BYTES, makeAudited, segmentsOf } from '../../test/support/audited.js';
import { compareSmall } from '../../test/support/compared.js';
import { copyOf, readSmall } from '../../test/support/small-container.js';
import { removeTree } from '../../test/support/tree.js';
import type { MemoryContainer } from '../container/memory-container.js';
import { askHere } from '../engine/asker.js';
import { ClfsError } from '../error.js';
import { formatManifestEntry, type ManifestEntry } from '../manifest/manifest-entry.js';
import { createManifest, type ManifestItem } from './create-manifest.js';
import { expectManifest } from './manifest.js';
import { createAuditContext } from './tasks/context.js';
import { AUDIT_EXECUTORS } from './tasks/executors.js';
import { hashFile } from './tasks/hash.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-manifest-unit-'));
let whole: MemoryContainer;
let source: string;
beforeAll(async () => {
  ({ source, whole } = await makeAudited(base));
});
afterAll(() => removeTree(base));

async function itemsOf(container: MemoryContainer, hash: boolean): Promise<ManifestItem[]> {
  const items: ManifestItem[] = [];
  for await (const item of createManifest(await readSmall(container), { hash })) items.push(item);
  return items;
}

/** The entries of a container by their paths; all of them can be read. */
async function entriesOf(container: MemoryContainer, hash = true): Promise<Map<string, ManifestEntry>> {
  const items = await itemsOf(container, hash);
  return new Map(
    items.map(({ entry }) => [Buffer.from((entry as ManifestEntry).path).toString(), entry as ManifestEntry]),
  );
}

let files = 0;
function manifestOf(lines: readonly string[]): string {
  const file = join(base, `manifest-${files++}`);
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}
const linesOf = (entries: Iterable<ManifestEntry>) => [...entries].map(formatManifestEntry);

describe('a manifest', () => {
  it('has a line of each entry, the root first, each directory before what is in it', async () => {
    const paths = [...(await entriesOf(whole)).keys()];
    expect(paths[0]).toBe('.');
    expect([...paths].sort()).toEqual(
      [
        ...['.', 'a', 'a/file', 'a/large', 'a/linked', 'b', 'b/fifo', 'b/linked', 'b/symlink', 'wide'],
        ...Array.from({ length: 30 }, (_, i) => `wide/entry ${10 + i} ${'y'.repeat(20)}`),
      ].sort(),
    );
    for (const path of paths.slice(1)) {
      const slash = path.lastIndexOf('/');
      if (slash > 0) expect(paths.indexOf(path.slice(0, slash))).toBeLessThan(paths.indexOf(path));
    }
  });

  it('has what an entry is, and the sums of files', async () => {
    const entries = await entriesOf(whole);
    for (const name of ['a/file', 'a/large', 'a/linked', 'b/linked'])
      expect(entries.get(name)?.sha256).toBe(
        createHash('sha256')
          .update(readFileSync(join(source, name)))
          .digest('hex'),
      );
    expect(entries.get('a/file')).toMatchObject({
      type: 1,
      sizeBytes: 7n,
      mtimeNs: 1_500_000_000_123_456_789n,
      linkCount: 1,
      linkGroup: undefined,
    });
    expect(entries.get('a/large')?.sizeBytes).toBe(BigInt(LARGE_FILE_BYTES));
    expect(entries.get('b/symlink')).toMatchObject({
      type: 5,
      sizeBytes: 9n,
      target: Buffer.from('../a/file'),
      sha256: undefined,
    });
    expect(entries.get('b/fifo')).toMatchObject({ type: 7, sizeBytes: 0n, sha256: undefined });
    expect(entries.get('a/linked')?.linkGroup).toMatch(/^[0-9A-F]{48}$/);
    expect(entries.get('a/linked')?.linkGroup).toBe(entries.get('b/linked')?.linkGroup);
    expect([...(await entriesOf(whole, false)).values()].map(({ sha256 }) => sha256)).toEqual(
      new Array(40).fill(undefined),
    );
  });

  it('is the same whatever lanes take the sums', async () => {
    const reader = await readSmall(whole);
    const here = askHere(
      AUDIT_EXECUTORS,
      createAuditContext({ geometry: reader.geometry, compare: undefined }, reader, undefined),
    );
    const asked: string[] = [];
    const crew: typeof here = {
      lanes: 3,
      mayRepeat: false,
      async ask(kind, task, units) {
        asked.push(`${kind} of ${units} units`);
        return here.ask(kind, task, units);
      },
    };
    const items: ManifestItem[] = [];
    for await (const item of createManifest(reader, { hash: true, crew })) items.push(item);
    expect(items).toEqual(await itemsOf(whole, true));
    // A file without segments is in its inode, which is there already.
    expect(asked).toEqual(['hash of 4 units']);
  });

  it('tells of each entry that cannot be read, and goes on', async () => {
    const container = copyOf(whole);
    container.blobs.delete(blobNamed(container, 'fifo').blob);
    container.blobs.delete(segmentsOf(container, 'large')[0]);
    editNamed(container, 'file', () => ({ data: Buffer.from('short') }));
    const failed = new Map<string, ClfsError>();
    for (const { path, error } of await itemsOf(container, true)) if (error) failed.set(path.toString(), error);
    expect([...failed.keys()].sort()).toEqual(['a/file', 'a/large', 'b/fifo']);
    expect(failed.get('b/fifo')).toMatchObject({ code: 'not-found' });
    expect(failed.get('a/large')).toMatchObject({
      code: 'not-found',
      message: expect.stringMatching(/^The segment .* is not in the container\.$/),
    });
    expect(failed.get('a/file')).toMatchObject({
      code: 'format',
      message: expect.stringContaining('holds 5 bytes of data'),
    });
    expect(failed.get('a/file')).toBeInstanceOf(ClfsError);
  });

  it('has no sum of what is no regular file, whatever its length', async () => {
    const reader = await readSmall(whole);
    const context = createAuditContext({ geometry: reader.geometry, compare: undefined }, reader, undefined);
    for (const name of ['fifo', 'symlink', 'wide'])
      expect(await hashFile({ handle: blobNamed(whole, name).key.id }, context), name).toMatchObject({
        damage: { code: 'format', message: expect.stringContaining('is not a regular file') },
      });
  });

  it('ends with what is no fault of an entry', async () => {
    const container = copyOf(whole);
    const { blob } = blobNamed(container, 'file');
    const refusal = new ClfsError('access-denied', 'The service refused.');
    const get = container.get.bind(container);
    container.get = (name, limit) => (name === blob ? Promise.reject(refusal) : get(name, limit));
    await expect(itemsOf(container, true)).rejects.toBe(refusal);
  });
});

describe('an expectation by a manifest', () => {
  it('is met by the container that it was made of', async () => {
    const expectation = await expectManifest(manifestOf(['', ...linesOf((await entriesOf(whole)).values()), '']));
    const { lines, summary } = await compareSmall(whole, expectation);
    expect(lines).toEqual([]);
    expect(summary).toMatchObject({ same: 40, contents: 34 });
    expectation.close();
  });

  it('differs in sums, and says what has none', async () => {
    const entries = await entriesOf(whole);
    const other = { ...(entries.get('a/file') as ManifestEntry), sha256: '00'.repeat(32) };
    const large = { ...(entries.get('a/large') as ManifestEntry), sha256: undefined };
    const manifest = manifestOf(linesOf(entries.set('a/file', other).set('a/large', large).values()));
    const { lines } = await compareSmall(whole, await expectManifest(Buffer.from(manifest)));
    expect(lines).toEqual(['! a/large its content is not in the manifest', '* a/file content has another SHA-256']);
  });

  it('has no entry and no directory but those of its lines', async () => {
    const expectation = await expectManifest(manifestOf(linesOf((await entriesOf(whole)).values())));
    const gone = {
      code: 'entry',
      reason: 'entry-vanished',
      message: expect.stringContaining('the manifest does not have it'),
    };
    expect(() => expectation.directory(Buffer.from('c'))).toThrow(expect.objectContaining(gone));
    const directory = await expectation.directory(Buffer.from('b'));
    expect(() => directory.entry(Buffer.from('file'))).toThrow(expect.objectContaining(gone));
    expect(() => directory.content(Buffer.from('file'))).toThrow(expect.objectContaining(gone));
    directory.close();
  });

  it('refuses a manifest that is not whole, or not one', async () => {
    const entries = await entriesOf(whole);
    const lines = linesOf(entries.values());
    const without = (path: string) => linesOf([...entries].filter(([each]) => each !== path).map(([, entry]) => entry));
    await expect(expectManifest(manifestOf(without('b')))).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringMatching(
        /^The manifest ".*" has "b\/.*", and no line of the directory that it is in: it is not whole\.$/,
      ),
    });
    await expect(expectManifest(manifestOf([...lines, '{}']))).rejects.toMatchObject({
      code: 'usage',
      message: 'Line 41 of the manifest is not one of a manifest: it has no mode.',
    });
    await expect(expectManifest(join(base, 'not there'))).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringMatching(/^Cannot read the manifest ".*not there": ENOENT/),
    });
    const reason = new Error('enough');
    await expect(expectManifest(manifestOf(lines), AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
