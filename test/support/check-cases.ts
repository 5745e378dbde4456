import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MemoryContainer } from '../../src/container/memory-container.js';
import type { BlockMap } from '../../src/format/block-map.js';
import { decodeDirents, encodeDirents } from '../../src/format/dirents.js';
import type { Inode } from '../../src/format/inode.js';
import { encodeObjectName } from '../../src/format/names.js';
import type { IndirectBlock } from '../../src/format/segment.js';
import {
  blobNamed,
  editAttributes,
  editEntries,
  editNamed,
  editSegment,
  findingLines,
  makeAudited,
  rename,
  segmentsOf,
} from './audited.js';
import { findingsOf, SMALL } from './check.js';
import { sampleBlockId } from './samples.js';
import { copyOf } from './small-container.js';
import { removeTree } from './tree.js';

/** What is done to a container. */
export type Change = (container: MemoryContainer) => void;
export const named =
  (name: string, edit: (inode: Inode) => Partial<Inode>): Change =>
  (c) =>
    editNamed(c, name, edit);
export const attributes =
  (name: string, change: Partial<Inode['attributes']>): Change =>
  (c) =>
    editAttributes(c, name, () => change);
export const blockMap =
  (name: string, edit: (map: BlockMap, c: MemoryContainer) => Partial<BlockMap>): Change =>
  (c) =>
    editNamed(c, name, (inode) => ({ blockMap: { ...inode.blockMap, ...edit(inode.blockMap, c) } }));
/** Changes a segment of a file or directory, or an indirect block, by its place among those. */
export const segment =
  <S>(owner: string, type: 8 | 9, at: number, edit: (segment: S) => object): Change =>
  (c) =>
    editSegment(c, segmentsOf(c, owner, type).at(at) as string, (each) => edit(each as S));
export const owned = (owner: string, type: 8 | 9, change: object): Change =>
  segment<IndirectBlock>(owner, type, 0, (each) => ({ owner: { ...each.owner, ...change } }));
/** A symlink's target, and its length. */
export const target = (data: Buffer, length = data.length): Change =>
  named('symlink', (inode) => ({
    data,
    attributes: { ...inode.attributes, lengthBytes: BigInt(length), usedBytes: BigInt(length) },
  }));
/** Gives the FIFO another handle. */
export const handle =
  (edit: (handle: Buffer) => void): Change =>
  (c) => {
    const { blob, key } = blobNamed(c, 'fifo');
    const id = Buffer.from(key.id);
    edit(id);
    rename(c, blob, encodeObjectName({ id, type: 7, owner: blobNamed(c, 'b').key.id, version: 9 }));
    editEntries(c, 'b', (all) => all.map((each) => (key.id.equals(each.handle) ? { ...each, handle: id } : each)));
    editNamed(c, 'fifo', (inode) => ({ blockMap: { ...inode.blockMap, direct: [id] } }));
  };
export const renamed =
  (name: string, edit: (blob: string) => string): Change =>
  (c) => {
    const { blob } = blobNamed(c, name);
    rename(c, blob, edit(blob));
  };
export const all =
  (...changes: readonly Change[]): Change =>
  (c) => {
    for (const change of changes) change(c);
  };
export const entriesOf = (count: number) =>
  encodeDirents(
    Array.from({ length: count }, (_, n) => ({ name: Buffer.alloc(200, 'xyz'[n]), handle: sampleBlockId(n) })),
  );
/** A piece of entries of which the second one is cut. */
export const cut = (dirents: Buffer) => dirents.subarray(0, decodeDirents(dirents)[0].name.length + 40);
/** What is behind damage in a directory is not found. */
export const isNotReached = (count: number) => `${count} × error orphan: Nothing refers to this regular inode.`;

/** What is changed, and everything that is found then: lines of `findingLines`. */
export type CheckCases = Readonly<Record<string, readonly [Change, ...string[]]>>;

/** Shows of a sound container which findings each change of it has, and that it has no others. */
export function describeFindings(what: string, cases: CheckCases): void {
  describe(what, () => {
    const base = mkdtempSync(join(tmpdir(), 'clfs-findings-'));
    let whole: MemoryContainer;
    beforeAll(async () => {
      whole = (await makeAudited(base)).whole;
    });
    afterAll(() => removeTree(base));

    it.each<[string, CheckCases[string]]>([['nothing', [() => undefined]], ...Object.entries(cases)])(
      '%s: just that is found',
      async (_, [change, ...findings]) => {
        const container = copyOf(whole);
        change(container);
        expect(findingLines(await findingsOf(container, SMALL))).toEqual([...findings].sort());
      },
    );
  });
}
