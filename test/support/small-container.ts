import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { MemoryContainer } from '../../src/container/memory-container.js';
import { ENVELOPE_BYTES } from '../../src/format/envelope.js';
import { decodeInode, encodeInode, type Inode } from '../../src/format/inode.js';
import { decodeObjectName } from '../../src/format/names.js';
import { load } from '../../src/load/load.js';
import { openLz4 } from '../../src/lz4/lz4.js';
import { indexContainer } from '../../src/namespace/object-index.js';
import { ContainerReader } from '../../src/namespace/reader.js';
import { SMALL } from './check.js';

/** Loads a source into a container in memory, uncompressed, with links, in the small geometry. */
export async function loadSmall(source: string, base: string): Promise<MemoryContainer> {
  const container = new MemoryContainer();
  const summary = await load({
    source,
    destination: '/unused',
    statePath: mkdtempSync(join(base, 'state-')),
    compression: 'DISABLED',
    preserveHardLinks: true,
    internals: { container, geometry: SMALL },
  });
  expect(summary.status).toBe('Completed');
  return container;
}

/** A copy, to be damaged: a load takes much longer. */
export function copyOf(container: MemoryContainer): MemoryContainer {
  const copy = new MemoryContainer();
  for (const [name, blob] of container.blobs) copy.blobs.set(name, Buffer.from(blob));
  return copy;
}

/** A reader of such a container, by a listing of it. */
export async function readSmall(container: MemoryContainer): Promise<ContainerReader> {
  return new ContainerReader(container, await indexContainer(container), openLz4(), SMALL);
}

/** Names of the objects of a type. */
export function objectNames(container: MemoryContainer, type: number): string[] {
  return [...container.blobs.keys()].filter((name) => {
    const key = decodeObjectName(name);
    return key !== undefined && key.nameVersion !== 1 && key.type === type;
  });
}

/** The body of an object. */
export function objectBody(container: MemoryContainer, name: string): Buffer {
  return (container.blobs.get(name) as Buffer).subarray(ENVELOPE_BYTES);
}

/** Puts a body in place of an object. */
export function putObject(container: MemoryContainer, name: string, body: Buffer): void {
  container.blobs.set(name, Buffer.concat([Buffer.alloc(ENVELOPE_BYTES), body]));
}

/** Changes the inodes of a type for which `edit` returns something. @returns how many */
export function editInodes(
  container: MemoryContainer,
  type: number,
  edit: (inode: Inode) => Partial<Inode> | undefined,
): number {
  let edited = 0;
  for (const name of objectNames(container, type)) {
    const inode = decodeInode(objectBody(container, name));
    const change = edit(inode);
    if (!change) continue;
    putObject(container, name, encodeInode({ ...inode, ...change }));
    edited++;
  }
  return edited;
}
