import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryContainer } from '../src/container/memory-container.js';
import { ENVELOPE_BYTES } from '../src/format/envelope.js';
import { idHex, isRootId } from '../src/format/ids.js';
import { decodeInode } from '../src/format/inode.js';
import { decodeObjectName } from '../src/format/names.js';
import { decodeSegment, encodeSegment, type IndirectBlock } from '../src/format/segment.js';
import { load } from '../src/load/load.js';
import { escapePath } from '../src/text/escape-path.js';
import { findingsOf, SMALL } from './support/check.js';
import { removeTree, someBytes } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-fsck-'));
const source = join(base, 'source');
afterAll(() => removeTree(base));
beforeAll(() => {
  mkdirSync(source);
  for (let i = 0; i < 60; i++) writeFileSync(join(source, `entry ${i} ${'y'.repeat(i % 40)}`), `${i}`);
  writeFileSync(join(source, 'large'), someBytes(600 + 2500 * 30, 5));
});

async function healthy(): Promise<MemoryContainer> {
  const container = new MemoryContainer();
  const statePath = mkdtempSync(join(base, 'state-'));
  await load({
    source,
    destination: '/unused',
    statePath,
    compression: 'DISABLED',
    internals: { container, geometry: SMALL },
  });
  expect(await findingsOf(container, SMALL)).toEqual([]);
  return container;
}

const bodyOf = (container: MemoryContainer, name: string) =>
  (container.blobs.get(name) as Buffer).subarray(ENVELOPE_BYTES);
const handleOfLarge = (container: MemoryContainer) => {
  for (const blob of container.blobs.keys()) {
    const key = decodeObjectName(blob);
    if (key?.type === 1 && Buffer.from(decodeInode(bodyOf(container, blob)).name).toString() === 'large')
      return idHex(key.id);
  }
  throw new Error('There is no inode of the large file.');
};
const blocksOf = (container: MemoryContainer, type: 8 | 9, isOwner: (owner: Uint8Array) => boolean) =>
  [...container.blobs.keys()].filter(
    (name) => decodeObjectName(name)?.type === type && isOwner(decodeSegment(bodyOf(container, name)).owner.handle),
  );
const codesOf = async (container: MemoryContainer) =>
  (await findingsOf(container, SMALL)).map(
    ({ code, path }) => `${code} ${path === undefined ? '-' : escapePath(path)}`,
  );

describe('one fault is told of as one', () => {
  it('a root with a segment missing is no missing root', async () => {
    const container = await healthy();
    const [segment] = blocksOf(container, 8, isRootId);
    container.blobs.delete(segment);
    const codes = await codesOf(container);
    expect(codes.filter((code) => !code.startsWith('orphan'))).toEqual(['missing-object ']);
  });

  it.each(['first', 'last'])('the %s segment of a file, missing, or damaged', async (which) => {
    for (const damaged of [true, false]) {
      const container = await healthy();
      const large = handleOfLarge(container);
      const segments = blocksOf(container, 8, (owner) => idHex(owner) === large);
      expect(segments.length).toBe(30);
      const lengths = segments.map((name) => decodeSegment(bodyOf(container, name)).owner.offset);
      const wanted = lengths.reduce((best, offset) => ((which === 'first') === offset < best ? offset : best));
      const segment = segments[lengths.indexOf(wanted)];
      if (damaged) container.blobs.set(segment, (container.blobs.get(segment) as Buffer).subarray(0, -8));
      else container.blobs.delete(segment);
      expect(await codesOf(container)).toEqual([damaged ? 'damaged-object large' : 'missing-object large']);
    }
  });

  it('a block map that leads back into itself is gone over once', async () => {
    const container = await healthy();
    const large = handleOfLarge(container);
    let changed = 0;
    for (const name of blocksOf(container, 9, (owner) => idHex(owner) === large)) {
      const id = decodeObjectName(name)?.id as Buffer;
      const block = decodeSegment(bodyOf(container, name)) as IndirectBlock;
      const body = encodeSegment({ ...block, children: new Array<Uint8Array>(SMALL.fanOut).fill(id) });
      container.blobs.set(name, Buffer.concat([Buffer.alloc(ENVELOPE_BYTES), body]));
      changed++;
    }
    expect(changed).toBeGreaterThan(2);
    const codes = await codesOf(container);
    expect(codes).toContain('shared-block large');
    // Each block was met once by its parent, and at most once more for each of its own children.
    expect(codes.filter((code) => code === 'shared-block large').length).toBeLessThanOrEqual(changed * SMALL.fanOut);
  });
});
