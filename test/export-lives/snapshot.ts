import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { bytesOf } from './tree.js';

/** What an entry is, as far as an export brings it. */
export interface Entry {
  readonly kind: 'file' | 'directory' | 'link' | 'fifo' | 'other';
  readonly mode: number;
  readonly owner: string;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly inode: bigint;
  readonly linkCount: bigint;
  /** Hash of the bytes, or target of a symlink. */
  readonly content: string;
}

/** A tree by its paths, one character a byte; the root's is empty. */
export type Snapshot = Map<string, Entry>;

/** Looks at a whole tree. */
export function snapshotOf(root: string): Snapshot {
  const entries: Snapshot = new Map();
  const visit = (path: string) => {
    const at = bytesOf(`${root}${path}`);
    const { mode, uid, gid, mtimeNs, ctimeNs, ino, nlink } = lstatSync(at, { bigint: true });
    const type = Number(mode) & 0o170000;
    const kind =
      type === 0o100000
        ? 'file'
        : type === 0o040000
          ? 'directory'
          : type === 0o120000
            ? 'link'
            : type === 0o010000
              ? 'fifo'
              : 'other';
    const content = kind === 'file' ? hashOf(readFileSync(at)) : kind === 'link' ? readlinkSync(at, 'latin1') : '';
    entries.set(path, {
      kind,
      mode: Number(mode) & 0o7777,
      owner: `${uid}:${gid}`,
      mtimeNs,
      ctimeNs,
      inode: ino,
      linkCount: nlink,
      content,
    });
    if (kind === 'directory') for (const name of readdirSync(at, 'latin1')) visit(`${path}/${name}`);
  };
  visit('');
  return entries;
}

function hashOf(bytes: Buffer): string {
  return createHash('sha1').update(bytes).digest('hex');
}

/** In what an entry differs from what it should be; empty when it does not. */
export function differenceOf(is: Entry | undefined, should: Entry): string {
  if (!is) return 'is missing';
  if (is.kind !== should.kind) return `is a ${is.kind}, not a ${should.kind}`;
  if (is.content !== should.content) return 'has other bytes';
  if (is.kind !== 'link' && is.mode !== should.mode)
    return `has the mode ${is.mode.toString(8)}, not ${should.mode.toString(8)}`;
  if (is.owner !== should.owner) return `belongs to ${is.owner}, not to ${should.owner}`;
  if (is.mtimeNs !== should.mtimeNs) return `is of ${is.mtimeNs}, not of ${should.mtimeNs}`;
  return '';
}

/** Names of each file that has several, in order. */
export function linkSets(entries: Snapshot): Set<string> {
  const byInode = new Map<bigint, string[]>();
  for (const [path, { kind, inode, linkCount }] of entries) {
    if (kind === 'directory' || linkCount === 1n) continue;
    byInode.set(inode, [...(byInode.get(inode) ?? []), path]);
  }
  return new Set([...byInode.values()].map((paths) => JSON.stringify(paths.sort())));
}

/** In what a tree differs from what it should be, as far as an export brings it. */
export function differencesOf(is: Snapshot, should: Snapshot): readonly string[] {
  const found: string[] = [];
  for (const [path, entry] of should) {
    const difference = differenceOf(is.get(path), entry);
    if (difference !== '') found.push(`${path || '.'} ${difference}`);
  }
  for (const path of is.keys()) if (!should.has(path)) found.push(`${path} is too much`);
  return [...found, ...linkDifferencesOf(is, should)];
}

/** In what the files differ that have several names. */
export function linkDifferencesOf(is: Snapshot, should: Snapshot): readonly string[] {
  const [found, expected] = [linkSets(is), linkSets(should)];
  return [
    ...[...expected].filter((set) => !found.has(set)).map((set) => `no links: ${set}`),
    ...[...found].filter((set) => !expected.has(set)).map((set) => `links that are too much: ${set}`),
  ];
}
