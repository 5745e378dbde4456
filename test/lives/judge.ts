import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fsck } from '../../src/audit/fsck.js';
import type { MemoryContainer } from '../../src/container/memory-container.js';
import { idHex, ObjectType } from '../../src/format/ids.js';
import { MOST_LINKS } from '../../src/format/limits.js';
import { openLz4 } from '../../src/lz4/lz4.js';
import { formatManifestEntry, toManifestEntry } from '../../src/manifest/manifest-entry.js';
import { readContent } from '../../src/namespace/content.js';
import { indexContainer } from '../../src/namespace/object-index.js';
import { ContainerReader, type FoundInode } from '../../src/namespace/reader.js';
import { walk } from '../../src/namespace/walk.js';
import { escapePath } from '../../src/text/escape-path.js';
import { SMALL } from '../support/check.js';
import type { Version } from './model-node.js';
import type { ModelTree } from './model-tree.js';
import { shorten } from './source-actions.js';

/** Codes of fsck that are no fault of a loader. */
const HARMLESS = new Set(['symlink-target']);
const lz4 = openLz4();

/** What a job said of itself at its end. */
export interface JobEnd {
  /** Whether it said that nothing failed. */
  readonly complete: boolean;
  readonly preserveHardLinks: boolean;
  /** Whether all was healed before its last session: what can be read now must have been loaded. */
  readonly healed: boolean;
  /** Paths below the root that it reported as failed, and why. */
  readonly failed: ReadonlyMap<string, string>;
  /** Escaped paths below the root of which its log says that they became copies of their own. */
  readonly copies: ReadonlySet<string>;
  /** Its manifest; undefined when it has none. */
  readonly manifest: string | undefined;
}

interface Entry {
  readonly found: FoundInode;
  readonly content: Buffer;
}

/** Everything in which a container is not what the job had to make of the source. */
export async function judge(container: MemoryContainer, tree: ModelTree, end: JobEnd): Promise<string[]> {
  const findings: string[] = [];
  const index = await indexContainer(container);
  const reader = new ContainerReader(container, index, lz4, SMALL);
  await fsck(reader, index, { content: true }, ({ code, path, message, object }) => {
    if (HARMLESS.has(code)) return;
    findings.push(
      `fsck ${code}: ${path ? `${shorten(Buffer.from(path).toString('latin1'))}: ` : ''}${message} ${object ?? ''}`,
    );
  });
  const entries = new Map<string, Entry>();
  for await (const { path, found } of walk(reader)) {
    if (!found) continue;
    const content = await contentOf(reader, found).catch(() => undefined);
    if (content) entries.set(path.toString('latin1'), { found, content });
  }
  for (const [path, entry] of entries) judgeEntry(path, entry, tree, findings);
  for (const [path, version] of tree.history.untouched())
    judgeUntouched({ path, version, tree }, entries.get(path), end, findings);
  if (end.healed) judgeFailures(tree, end.failed, findings);
  if (end.preserveHardLinks) judgeLinks(tree, entries, end, findings);
  if (end.complete && end.manifest !== undefined) judgeManifest(end.manifest, entries, findings);
  return findings;
}

async function contentOf(reader: ContainerReader, found: FoundInode): Promise<Buffer> {
  const { attributes, data } = found.inode;
  if (attributes.type !== ObjectType.regular) return data ?? Buffer.alloc(0);
  const pieces: Buffer[] = [];
  for await (const piece of readContent(reader, found)) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

/** An entry must be one version of what had its path. */
function judgeEntry(path: string, { found, content }: Entry, tree: ModelTree, findings: string[]): void {
  const { attributes } = found.inode;
  const say = (text: string) => findings.push(`entry ${shorten(path) || '(root)'}: ${text}`);
  const versions = tree.versionsOf(attributes.ctime);
  if (versions.length === 0) return void say('no inode of the source ever had its change time');
  if (!tree.history.everHad(path)) return void say('the source never had this path');
  const allowed = versions.filter((version) => tree.history.allows(path, version));
  if (allowed.length === 0)
    return void say(`it is ${versions.map(nameOfVersion).join(' or ')}, which this path never led to`);
  const wrong = allowed.map((version) => differences({ found, content }, version));
  if (wrong.some((differing) => differing.length === 0)) return;
  const texts = allowed.map((version, at) => `${wrong[at].join(', ')} not of ${nameOfVersion(version)}`);
  say(texts.join('; '));
}

function nameOfVersion({ tick, node }: Version): string {
  return `version ${tick} of inode ${node.inode}`;
}

/** In what an entry is not a version. */
function differences({ found, content }: Entry, version: Version): string[] {
  const { attributes } = found.inode;
  const { attributes: was, node } = version;
  const directory = node.isDirectory;
  const wrong: string[] = [];
  if (attributes.type !== was.type) wrong.push('type');
  if (attributes.mode !== was.mode) wrong.push('mode');
  if (attributes.uid !== was.uid || attributes.gid !== was.gid) wrong.push('owner');
  if (attributes.mtime.seconds !== was.mtimeSeconds || attributes.mtime.nanoseconds !== was.mtimeNanoseconds)
    wrong.push('mtime');
  if (attributes.inodeNumber !== was.inode) wrong.push('inode number');
  if (!directory && attributes.linkCount > MOST_LINKS) wrong.push('number of links');
  if (!directory && Number(attributes.lengthBytes) !== version.content.length) wrong.push('size');
  if (!directory && !content.equals(version.content)) wrong.push('content');
  return wrong;
}

/** What nothing happened to must be there. */
function judgeUntouched(
  { path, version, tree }: { readonly path: string; readonly version: Version; readonly tree: ModelTree },
  entry: Entry | undefined,
  end: JobEnd,
  findings: string[],
): void {
  if (entry) {
    if (!version.node.isDirectory && !tree.versionsOf(entry.found.inode.attributes.ctime).includes(version))
      findings.push(`untouched ${shorten(path)}: it is another version in the container`);
    return;
  }
  if (!end.complete && !end.healed && isReported(path, end.failed)) return;
  findings.push(
    `untouched ${shorten(path) || '(root)'}: it is missing in the container${isReported(path, end.failed) ? ', and stays failed' : ', and no failure names it'}`,
  );
}

/** What is there can be loaded, and what is not there is no failure: none may stay. */
function judgeFailures(tree: ModelTree, failed: ReadonlyMap<string, string>, findings: string[]): void {
  const now = new Set(tree.places().map(({ path }) => path));
  for (const [path, reason] of failed) {
    findings.push(
      `stuck ${shorten(path)}: it ${now.has(path) ? 'can be read' : 'is not in the source any more'}, and stays failed with ${reason}`,
    );
  }
}

/** A path or a directory above it is among the failures. */
function isReported(path: string, failed: ReadonlyMap<string, string>): boolean {
  for (let at = path; at !== ''; at = parentOf(at)) if (failed.has(at)) return true;
  return false;
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** Names of one file must be names of one inode, but for those that were said to be copies. */
function judgeLinks(tree: ModelTree, entries: ReadonlyMap<string, Entry>, end: JobEnd, findings: string[]): void {
  for (const names of tree.history.steadyLinks()) {
    if (names.some((name) => isReported(name, end.failed))) continue;
    const there = names.filter((name) => entries.has(name) && !end.copies.has(escapePath(Buffer.from(name, 'latin1'))));
    const handles = new Set(there.map((name) => idHex((entries.get(name) as Entry).found.id)));
    if (handles.size > 1)
      findings.push(`links ${there.map(shorten).join(', ')}: one file of the source is ${handles.size} inodes`);
  }
}

/** The manifest must say what is in the container, and nothing else. */
function judgeManifest(file: string, entries: ReadonlyMap<string, Entry>, findings: string[]): void {
  const lines = readFileSync(file, 'latin1')
    .split('\n')
    .filter((line) => line !== '');
  const wanted = new Map<string, string>();
  for (const [path, { found, content }] of entries) {
    const { attributes } = found.inode;
    const regular = attributes.type === ObjectType.regular;
    const sha256 = regular ? createHash('sha256').update(content).digest('hex') : undefined;
    const target = attributes.type === ObjectType.symlink ? content : undefined;
    const entry = toManifestEntry(Buffer.from(path, 'latin1'), attributes, { handle: found.id, target, sha256 });
    wanted.set(formatManifestEntry(entry), path);
  }
  for (const line of lines) {
    if (!wanted.delete(line))
      findings.push(`manifest: a line that is not what the container has: ${shorten(line).slice(0, 160)}`);
  }
  for (const path of wanted.values())
    findings.push(`manifest: no line for ${shorten(path) || '(root)'} as it is in the container`);
}
