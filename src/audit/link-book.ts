import { joined, separated } from '../spill/spilled-list.js';
import { SpilledMap } from '../spill/spilled-map.js';
import type { ByteSet } from '../spill/spilled-set.js';

/** An inode, as it itself tells of its links. */
export interface LinkedInode {
  readonly id: Uint8Array;
  readonly path: Uint8Array;
  readonly name: string;
  readonly backPointers: readonly Uint8Array[];
}

/** The links of an inode, as its directories and as it itself have them. */
export interface LinkTally extends LinkedInode {
  /** Directories with an entry that leads to it, one for each entry. */
  readonly referrers: readonly Uint8Array[];
  /** NAME of the inode matched one of the entries. */
  readonly named: boolean;
}

const SERIAL_BYTES = 6;

/**
 * Takes down who refers to inodes, in bounded memory: what is told is added, and put together at the end. To be closed.
 *
 * A key is the length of the id, the id, and a number: 0 for the inode itself, others for those that refer to it.
 */
export class LinkBook {
  readonly #rows = new SpilledMap();
  readonly #known: ByteSet;
  #serial = 0;

  /** @param known an empty set for the ids of inodes; closed with the book */
  constructor(known: ByteSet) {
    this.#known = known;
  }

  has(id: Uint8Array): boolean {
    return this.#known.has(id);
  }

  /** Begins to take down who refers to an inode. */
  begin({ id, path, name, backPointers }: LinkedInode): void {
    this.#known.add(id);
    this.#rows.set(keyOf(id, 0), joined([path, Buffer.from(name), ...backPointers]));
  }

  /** @param named whether the name of the entry is the NAME of the inode */
  refer(id: Uint8Array, directory: Uint8Array, named: boolean): void {
    this.#rows.set(keyOf(id, ++this.#serial), Buffer.concat([Buffer.from([Number(named)]), directory]));
  }

  /** Everything that was taken down, an inode at a time. */
  *tallies(): Generator<LinkTally> {
    let open: (LinkedInode & { readonly referrers: Uint8Array[]; named: boolean }) | undefined;
    for (const [key, value] of this.#rows.entries()) {
      const id = key.subarray(1, key.length - SERIAL_BYTES);
      if (key.subarray(key.length - SERIAL_BYTES).every((byte) => byte === 0)) {
        if (open) yield open;
        const [path, name, ...backPointers] = separated(Buffer.from(value));
        open = {
          id,
          path,
          name: name.toString(),
          backPointers,
          referrers: [],
          named: false,
        };
      } else if (open && Buffer.compare(open.id, id) === 0) {
        open.referrers.push(value.subarray(1));
        open.named ||= value[0] === 1;
      }
    }
    if (open) yield open;
  }

  close(): void {
    this.#rows.close();
    this.#known.close();
  }
}

function keyOf(id: Uint8Array, serial: number): Buffer {
  const key = Buffer.alloc(1 + id.length + SERIAL_BYTES);
  key[0] = id.length;
  key.set(id, 1);
  key.writeUIntBE(serial, 1 + id.length, SERIAL_BYTES);
  return key;
}
