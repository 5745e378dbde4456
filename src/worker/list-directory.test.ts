import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { withAsyncSide } from '../../test/support/async-source.js';
import { MemoryContainer } from '../container/memory-container.js';
import { GEOMETRY } from '../format/geometry.js';
import { openLz4 } from '../lz4/lz4.js';
import { PosixError } from '../posix/posix-error.js';
import { openPosixSource } from '../source/posix-source.js';
import { EVERYTHING } from '../source/selection.js';
import { entryFailure, type SourceDirectory, type SourceTree } from '../source/source-tree.js';
import { createContext, type WorkContext } from './context.js';
import { listDirectory, lookAtEntries } from './list-directory.js';
import type { DirectoryPlace, JobConstants, ListPart } from './tasks.js';

const EMFILE = 24;
const CONSTANTS = {
  spec: { compression: 'DISABLED', selection: EVERYTHING, preserveHardLinks: true },
  secret: Buffer.alloc(16, 1),
  containerId: 1,
  fsid: 1,
  geometry: GEOMETRY,
} as unknown as JobConstants;
const base = mkdtempSync(join(tmpdir(), 'clfs-list-directory-'));
afterAll(() => rmSync(base, { recursive: true }));

/** A source of which the first listings find no descriptor, with how many that were. */
function scarceSource(path: string): { readonly source: SourceTree; readonly refused: () => number } {
  const real = openPosixSource(Buffer.from(path));
  let refused = 0;
  const openDirectory: SourceTree['openDirectory'] = (below, expected) => {
    const directory = real.openDirectory(below, expected);
    const scarce: SourceDirectory = {
      attributes: (fresh) => directory.attributes(fresh),
      *list() {
        if (refused < 2) {
          refused++;
          throw entryFailure('directory-unreadable', 'too many open files', new PosixError('open', EMFILE));
        }
        yield* directory.list();
      },
      attributesOf: (name) => directory.attributesOf(name),
      readLink: (name) => directory.readLink(name),
      openFile: (name) => directory.openFile(name),
      close: () => directory.close(),
    };
    return scarce;
  };
  return { source: { openDirectory, close: () => real.close() }, refused: () => refused };
}

function placeOf({ source }: WorkContext, path: string): DirectoryPlace {
  const directory = source.openDirectory(Buffer.from(path));
  const { device, inode, bornNs } = directory.attributes();
  directory.close();
  return { path: Buffer.from(path), device, inode, bornNs };
}

describe.each([false, true])('a process without a descriptor to list a directory by: asynchronously %s', (isAsync) => {
  const tree = join(base, `tree-${isAsync}`);
  mkdirSync(join(tree, 'below'), { recursive: true });
  for (const name of ['a', 'b']) writeFileSync(join(tree, 'below', name), name);

  function laneOf(): { readonly context: WorkContext; readonly refused: () => number } {
    const { source, refused } = scarceSource(tree);
    const seen = isAsync ? withAsyncSide(source, async () => undefined, true) : source;
    return { context: createContext(CONSTANTS, seen, new MemoryContainer(), openLz4(), 1), refused };
  }

  it('waits for one: the directory has not failed', async () => {
    const { context, refused } = laneOf();
    const parts: ListPart[] = [];
    const task = { place: placeOf(context, 'below'), countUnstorable: false };
    const { failure } = await listDirectory(task, context, (part) => parts.push(part));
    expect(refused()).toBe(2);
    expect(failure).toBeUndefined();
    expect(parts.flatMap(({ chunks }) => chunks.map(({ count }) => count))).toEqual([2]);
  });

  it('waits for one to look whether an entry that had failed is gone', async () => {
    const { context, refused } = laneOf();
    const task = { place: placeOf(context, 'below'), names: [Buffer.from('a'), Buffer.from('gone')] };
    const result = await lookAtEntries(task, context, () => undefined);
    expect(refused()).toBe(2);
    expect(result).toEqual({ vanished: [1], failure: undefined });
  });
});
