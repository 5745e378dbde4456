import { linkSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding } from '../../src/audit/findings.js';
import type { MemoryContainer } from '../../src/container/memory-container.js';
import { type DirectoryEntry, decodeDirents, encodeDirents } from '../../src/format/dirents.js';
import { isRootId } from '../../src/format/ids.js';
import { decodeInode, encodeInode, type Inode } from '../../src/format/inode.js';
import { decodeObjectName, type ParsedName } from '../../src/format/names.js';
import { decodeSegment, encodeSegment } from '../../src/format/segment.js';
import { CURRENT_DIRECTORY, makeNode, setTimes } from '../../src/posix/libc.js';
import { escapePath } from '../../src/text/escape-path.js';
import { loadSmall, objectBody, objectNames, putObject } from './small-container.js';
import { someBytes } from './tree.js';

/** Bytes of the file `a/large`: 13 segments, of which 4 are direct and 6 are below a second tree. */
export const LARGE_FILE_BYTES = 600 + 2500 * 12 + 1;

/** A small tree with every kind of entry and of object, and its container: in the small geometry, not compressed. */
export async function makeAudited(base: string): Promise<{ readonly source: string; readonly whole: MemoryContainer }> {
  const source = mkdtempSync(join(base, 'source-'));
  for (const directory of ['a', 'b', 'wide']) mkdirSync(join(source, directory));
  writeFileSync(join(source, 'a', 'file'), 'content');
  writeFileSync(join(source, 'a', 'large'), someBytes(LARGE_FILE_BYTES, 7));
  writeFileSync(join(source, 'a', 'linked'), 'linked');
  linkSync(join(source, 'a', 'linked'), join(source, 'b', 'linked'));
  symlinkSync('../a/file', join(source, 'b', 'symlink'));
  makeNode(CURRENT_DIRECTORY, Buffer.from(join(source, 'b', 'fifo')), 0o010640, 0, 0);
  for (let i = 0; i < 30; i++) writeFileSync(join(source, 'wide', `entry ${10 + i} ${'y'.repeat(20)}`), `${i}`);
  const time = { seconds: 1_500_000_000, nanoseconds: 123_456_789 };
  setTimes(CURRENT_DIRECTORY, Buffer.from(join(source, 'a', 'file')), time, time);
  return { source, whole: await loadSmall(source, base) };
}

/** Findings as sorted lines, the same ones as one; without what differs from load to load. */
export function findingLines(findings: readonly Finding[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const finding of findings) {
    const line = findingLine(finding);
    counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  return [...counts].map(([line, count]) => (count === 1 ? line : `${count} × ${line}`)).sort();
}

function findingLine({ severity, code, path, message }: Finding): string {
  const at = path && ` ${path.length === 0 ? '.' : escapePath(path)}`.replace(/ [ab]\/linked$/, ' linked');
  return `${severity} ${code}${at ?? ''}: ${message}`
    .replace(/[0-9A-F]{16}_[0-9A-F]{32,48}\.[0-9A-F.]+/g, 'BLOB')
    .replace(/[0-9A-F]{32,48}/g, 'ID');
}

/** Name of the blob of the inode whose NAME is `name`, `/` being the root, and what it says. */
export function blobNamed(
  container: MemoryContainer,
  name: string,
): { readonly blob: string; readonly key: ParsedName } {
  for (const type of [1, 2, 5, 7])
    for (const blob of objectNames(container, type)) {
      const key = decodeObjectName(blob) as ParsedName;
      const own = isRootId(key.id) ? '/' : Buffer.from(decodeInode(objectBody(container, blob)).name).toString();
      if (own === name) return { blob, key };
    }
  throw new Error(`There is no inode of ${name}.`);
}

/** Changes the inode whose NAME is `name`. */
export function editNamed(container: MemoryContainer, name: string, edit: (inode: Inode) => Partial<Inode>): void {
  const { blob } = blobNamed(container, name);
  const inode = decodeInode(objectBody(container, blob));
  putObject(container, blob, encodeInode({ ...inode, ...edit(inode) }));
}

/** Changes attributes of the inode whose NAME is `name`. */
export function editAttributes(
  container: MemoryContainer,
  name: string,
  edit: (attributes: Inode['attributes']) => Partial<Inode['attributes']>,
): void {
  editNamed(container, name, ({ attributes }) => ({ attributes: { ...attributes, ...edit(attributes) } }));
}

/** Changes the entries that the inode of a directory itself holds. */
export function editEntries(
  container: MemoryContainer,
  name: string,
  edit: (entries: readonly DirectoryEntry[]) => readonly DirectoryEntry[],
): void {
  editNamed(container, name, ({ dirents }) => ({ dirents: encodeDirents(edit(decodeDirents(dirents as Buffer))) }));
}

type Segment = ReturnType<typeof decodeSegment>;

/** Blobs of segments, or of indirect blocks, of the inode whose NAME is `owner`, by their offsets. */
export function segmentsOf(container: MemoryContainer, owner: string, type: 8 | 9 = 8): string[] {
  const { id } = blobNamed(container, owner).key;
  const own = objectNames(container, type)
    .map((blob) => ({ blob, owner: decodeSegment(objectBody(container, blob)).owner }))
    .filter((each) => id.equals(each.owner.handle));
  return own.sort((a, b) => Number(a.owner.offset - b.owner.offset)).map(({ blob }) => blob);
}

/** Changes a segment, or an indirect block. */
export function editSegment(
  container: MemoryContainer,
  blob: string,
  edit: (segment: Segment) => Partial<Segment>,
): void {
  const segment = decodeSegment(objectBody(container, blob));
  putObject(container, blob, encodeSegment({ ...segment, ...edit(segment) } as Segment));
}

/** Gives a blob another name. */
export function rename(container: MemoryContainer, from: string, to: string): void {
  container.blobs.set(to, container.blobs.get(from) as Buffer);
  container.blobs.delete(from);
}
