import { bytesEqual, idHex } from '../format/ids.js';
import { MOST_LINKS } from '../format/limits.js';
import { SpilledMap } from '../spill/spilled-map.js';
import type { EntryLink } from './tasks/kinds.js';

/**
 * Compares which names are one file: links of one file are one inode where the container has preserved links, and an
 * inode with links is one file. That is known of all names together alone, so it is put together where they were asked.
 * To be closed.
 *
 * A file may be several inodes where each of them has one link, since the container was loaded without preserving
 * them, or as many as one can have, beyond which each further name becomes a copy. An inode between the two is one that
 * has room for all other names of its file.
 */
export class ComparedLinks {
  /** Of files with several links: the first of their inodes, and whether one has room, by what tells the links of one file. */
  readonly #inodesOfKey = new SpilledMap();
  /** The other way round, of inodes with several links. */
  readonly #keyOfInode = new SpilledMap();

  /** Compares a name with those before it. @returns what differs */
  compare(link: EntryLink): readonly string[] {
    const differences = link.linkCount > 1 ? this.#compareInode(link) : [];
    return this.#isApart(link) ? [...differences, 'not linked with another name of the same file'] : differences;
  }

  #compareInode({ id, key: expectedKey }: EntryLink): readonly string[] {
    const key = Buffer.from(expectedKey ?? `single ${idHex(id)}`);
    const known = this.#keyOfInode.get(id);
    this.#keyOfInode.set(id, key);
    if (known !== undefined && !key.equals(known)) return ['linked with what is another file in the source'];
    return expectedKey === undefined ? ['linked, with a file that has one link in the source'] : [];
  }

  /** Whether its file has another inode, which it must not have. */
  #isApart({ id, linkCount, key: expectedKey }: EntryLink): boolean {
    if (expectedKey === undefined) return false;
    const key = Buffer.from(expectedKey);
    const known = this.#inodesOfKey.get(key);
    const hasRoom = linkCount > 1 && linkCount < MOST_LINKS;
    const oneHasRoom = hasRoom || known?.[0] === 1;
    if (known === undefined || (oneHasRoom && known[0] !== 1))
      this.#inodesOfKey.set(key, Buffer.concat([Buffer.of(oneHasRoom ? 1 : 0), known?.subarray(1) ?? id]));
    return known !== undefined && oneHasRoom && !bytesEqual(known.subarray(1), id);
  }

  close(): void {
    this.#inodesOfKey.close();
    this.#keyOfInode.close();
  }
}
