import { ClfsError } from '../error.js';
import { idHex } from '../format/ids.js';
import { joined, separated } from '../spill/spilled-list.js';
import type { ByteSet } from '../spill/spilled-set.js';
import { SpilledStack } from '../spill/spilled-stack.js';
import type { ContainerReader, FoundInode } from './reader.js';

/** Most bytes of entries in an inode that is kept; a larger one is read again. */
const KEPT_BYTES = 4096;

/** A directory that is to be gone over. */
export interface PendingDirectory {
  readonly path: Buffer;
  /** @throws ClfsError `format`, `not-found`: it is read again where it was not kept */
  read(): Promise<FoundInode>;
}

interface Item {
  readonly path: Uint8Array;
  readonly id: Uint8Array;
  readonly found: FoundInode | undefined;
}

/** Directories that are still to be gone over, the last one first, in bounded memory. To be closed. */
export class PendingDirectories {
  readonly #reader: ContainerReader;
  readonly #met: ByteSet | undefined;
  readonly #stack = new SpilledStack<Item>({
    encode: ({ path, id }) => joined([path, id]),
    decode(bytes) {
      const [path, id] = separated(bytes);
      return { path, id, found: undefined };
    },
  });

  /**
   * @param met ids of directories that were met before; those that are pushed are added. A tree that has a directory in
   *   itself would have no end
   */
  constructor(reader: ContainerReader, met?: ByteSet) {
    this.#reader = reader;
    this.#met = met;
  }

  /** @throws ClfsError `format` for one that was met before; `temporary` */
  push(path: Uint8Array, found: FoundInode): void {
    if (this.#met?.add(found.id) === false)
      throw new ClfsError('format', `The directory ${idHex(found.id)} is in the tree more than once.`);
    const isSmall = (found.inode.dirents?.length ?? 0) <= KEPT_BYTES;
    this.#stack.push({ path, id: found.id, found: isSmall ? found : undefined });
  }

  /** @throws ClfsError `temporary` */
  pop(): PendingDirectory | undefined {
    const item = this.#stack.pop();
    if (!item) return undefined;
    const { path, id, found } = item;
    return { path: Buffer.from(path), read: async () => found ?? this.#reader.inode(id) };
  }

  /** Takes all of `others` over, so that the first of them comes out first. @throws ClfsError `temporary` */
  take(others: PendingDirectories): void {
    for (let item = others.#stack.pop(); item; item = others.#stack.pop()) this.#stack.push(item);
  }

  close(): void {
    this.#stack.close();
  }
}
