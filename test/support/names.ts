import type { Container } from '../../src/container/container.js';
import { GEOMETRY, type Geometry } from '../../src/format/geometry.js';
import { idHex } from '../../src/format/ids.js';
import { openLz4 } from '../../src/lz4/lz4.js';
import { indexContainer } from '../../src/namespace/object-index.js';
import { ContainerReader } from '../../src/namespace/reader.js';
import { walk } from '../../src/namespace/walk.js';

/** What a name of a container leads to. */
export interface NamedInode {
  readonly id: string;
  readonly linkCount: number;
  /** Of its content. */
  readonly lengthBytes: bigint;
}

/** Every name of a container, by its path below the root; the root's is empty. */
export async function inodesOf(
  container: Container,
  geometry: Geometry = GEOMETRY,
): Promise<ReadonlyMap<string, NamedInode>> {
  const inodes = new Map<string, NamedInode>();
  const reader = new ContainerReader(container, await indexContainer(container), openLz4(), geometry);
  for await (const { path, handle, found, error } of walk(reader)) {
    if (!found) throw error;
    const { linkCount, lengthBytes } = found.inode.attributes;
    inodes.set(path.toString(), { id: idHex(handle), linkCount, lengthBytes });
  }
  return inodes;
}
