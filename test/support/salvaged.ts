import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Container } from '../../src/container/container.js';
import { isClfsError } from '../../src/error.js';
import { ObjectType } from '../../src/format/ids.js';
import { decodeObjectName } from '../../src/format/names.js';
import { openLz4 } from '../../src/lz4/lz4.js';
import { readContent } from '../../src/namespace/content.js';
import { indexContainer } from '../../src/namespace/object-index.js';
import { ContainerReader, type FoundInode } from '../../src/namespace/reader.js';
import { SMALL } from './check.js';

/** Paths of the regular files below a directory. */
export function filesBelow(root: string, below = ''): string[] {
  return readdirSync(join(root, below), { withFileTypes: true }).flatMap((entry) => {
    const path = join(below, entry.name);
    return entry.isDirectory() ? filesBelow(root, path) : entry.isFile() ? [path] : [];
  });
}

/** Whether a name has a mark of the salvage. */
export const isMarked = (path: string) => /\.~[^~]+~$/.test(path);

/** What makes two files the same: name, bytes, mode and time. */
function factsOf(root: string, path: string): string {
  const { mode, mtimeMs, size } = lstatSync(join(root, path));
  const bytes = readFileSync(join(root, path)).toString('base64');
  return `${basename(path)} ${mode.toString(8)} ${mtimeMs} ${size} ${bytes}`;
}

/** What of the files of a source, and of an export, agrees. */
export interface Judgement {
  /** Names of files of which the container has all objects, and which were not brought back. */
  readonly missing: readonly string[];
  /** Paths of files without a mark that are like no file of the source. */
  readonly wrong: readonly string[];
  /** Files of which the container has all objects. */
  readonly whole: number;
}

/** Compares what a salvage has written with the source, by what the container has of it. */
export async function judge(container: Container, source: string, target: string): Promise<Judgement> {
  const sources = new Map<string, string[]>();
  for (const path of filesBelow(source)) {
    const name = basename(path);
    sources.set(name, [...(sources.get(name) ?? []), path]);
  }
  const files = filesBelow(target);
  const written = new Set(files.map((path) => factsOf(target, path)));
  const plain = new Set([...sources.values()].flat().map((path) => factsOf(source, path)));
  const missing: string[] = [];
  let whole = 0;
  for (const { name, content } of await wholeFiles(container)) {
    const same = (sources.get(name) ?? []).filter((path) => readFileSync(join(source, path)).equals(content));
    if (same.length === 0) throw new Error(`The source has no ${name} of this content.`);
    whole++;
    if (!same.some((path) => written.has(factsOf(source, path)))) missing.push(name);
  }
  const wrong = files.filter((path) => !isMarked(path) && !plain.has(factsOf(target, path)));
  return { missing, wrong, whole };
}

/** Each regular file of which all objects are in a container, whatever leads to it. */
async function wholeFiles(container: Container): Promise<{ readonly name: string; readonly content: Buffer }[]> {
  const index = await indexContainer(container);
  const reader = new ContainerReader(container, index, openLz4(), SMALL);
  const files: { name: string; content: Buffer }[] = [];
  for await (const page of container.list('')) {
    for (const { name } of page) {
      const key = decodeObjectName(name);
      if (key?.type !== ObjectType.regular || (await index.find(key.id))?.name !== name) continue;
      const found = await reader.inode(key.id);
      const content = await contentOf(reader, found);
      if (content) files.push({ name: Buffer.from(found.inode.name).toString(), content });
    }
  }
  return files;
}

async function contentOf(reader: ContainerReader, found: FoundInode): Promise<Buffer | undefined> {
  const pieces: Buffer[] = [];
  try {
    for await (const piece of readContent(reader, found)) pieces.push(piece);
  } catch (error) {
    if (isClfsError(error, 'not-found', 'format')) return undefined;
    throw error;
  }
  return Buffer.concat(pieces);
}
