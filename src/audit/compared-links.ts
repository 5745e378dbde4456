import { bytesEqual, idHex } from '../format/ids.js';
import { MOST_LINKS } from '../format/limits.js';
import { SpilledMap } from '../spill/spilled-map.js';
import type { EntryLink } from './tasks/kinds.js';

/**
 * Compares which names are one file: links of one file are one inode where the container has preserved links, and an
 * inode with links is one file. That is known of all names together alone, so it is put together where they were asked.
 * To be closed.
 */
export class ComparedLinks {
  /** Of files with several links, the id of the inode by what tells the links of one file, and the other way round. */
  readonly #inodeOfKey = new SpilledMap();
  readonly #keyOfInode = new SpilledMap();

  /** Compares a name with those before it. @returns what differs */
  compare({ id, linkCount, key: expectedKey }: EntryLink): readonly string[] {
    const differences: string[] = [];
    const key = Buffer.from(expectedKey ?? `single ${idHex(id)}`);
    const known = this.#keyOfInode.get(id);
    if (known !== undefined && !key.equals(known)) differences.push('linked with what is another file in the source');
    else if (expectedKey === undefined) differences.push('linked, with a file that has one link in the source');
    this.#keyOfInode.set(id, key);
    if (expectedKey === undefined) return differences;
    const other = this.#inodeOfKey.get(key);
    // An inode that is full gives way to copies: then the links are spread over several.
    if (other !== undefined && !bytesEqual(other, id) && linkCount < MOST_LINKS)
      differences.push('not linked with another name of the same file');
    else if (other === undefined) this.#inodeOfKey.set(key, id);
    return differences;
  }

  close(): void {
    this.#inodeOfKey.close();
    this.#keyOfInode.close();
  }
}
