import type { Container } from '../container/container.js';
import { hash64Hex } from '../format/hash.js';
import { idHex, ObjectType } from '../format/ids.js';
import { decodeObjectName, objectNamePrefix, type ParsedName } from '../format/names.js';

/** A version of an inode that is in the container. */
export interface ListedVersion {
  readonly name: string;
  readonly key: ParsedName;
}

/** What is in the container of some inodes. */
export interface Presence {
  /** The blobs of an id. */
  versions(id: Uint8Array): Promise<readonly ListedVersion[]>;
  /** Segments and indirect blocks whose owner has the hash of this id; undefined when that is not known. */
  blocks(id: Uint8Array): ReadonlySet<string> | undefined;
}

/** Names that a listing brings with one request. */
const NAMES_A_REQUEST = 1000;

/**
 * Looks what of some inodes is in the container: by a listing of each one's prefix, or by one listing of the whole
 * container where that is fewer requests, or where each listing reads all of it.
 *
 * @param objects in the container, about
 */
export async function openPresence(
  container: Container,
  ids: readonly Uint8Array[],
  objects: number,
): Promise<Presence> {
  const byPrefix = async (id: Uint8Array) => {
    const versions: ListedVersion[] = [];
    for await (const page of container.list(objectNamePrefix(id))) {
      for (const { name } of page) {
        const key = decodeObjectName(name);
        if (key) versions.push({ name, key });
      }
    }
    return versions;
  };
  if (container.listsByPrefix && ids.length * NAMES_A_REQUEST < objects)
    return { versions: byPrefix, blocks: () => undefined };
  const versions = new Map<string, ListedVersion[]>();
  const blocks = new Map<string, Set<string>>();
  for (const id of ids) {
    versions.set(idHex(id), []);
    blocks.set(hash64Hex(id), new Set());
  }
  for await (const page of container.list('')) {
    for (const { name } of page) {
      const [, id = '', type = '', owner = ''] = PARTS_OF_NAME.exec(name) ?? [];
      const list = versions.get(id);
      const key = list && decodeObjectName(name);
      if (key) list.push({ name, key });
      const kind = Number(type);
      if (kind === ObjectType.segment || kind === ObjectType.indirect) blocks.get(owner)?.add(name);
    }
  }
  return {
    versions: async (id) => versions.get(idHex(id)) ?? byPrefix(id),
    blocks: (id) => blocks.get(hash64Hex(id)),
  };
}

const PARTS_OF_NAME = /^[0-9A-F]{16}_([0-9A-F]+)\.(\d{4})\.([0-9A-F]{16})\./;
