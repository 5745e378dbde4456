import { idHex } from '../format/ids.js';
import type { FileStatus } from '../posix/libc.js';
import { joined, separated } from '../spill/spilled-list.js';
import { SpilledMap } from '../spill/spilled-map.js';

/** A file that this export has written whole: where, and what it then was, by {@link identityOf}. */
export interface WrittenFile {
  readonly path: Buffer;
  readonly identity: string;
}

/** What tells a file from others. Numbers of inodes are given out again: size and time belong to it. */
export function identityOf({ device, inode, sizeBytes, mtimeSeconds, mtimeNanoseconds }: FileStatus): string {
  return `${device} ${inode} ${sizeBytes} ${mtimeSeconds} ${mtimeNanoseconds}`;
}

/** Whether a file that is there is the one that was written. */
export function isWritten(there: FileStatus | undefined, written: WrittenFile | undefined): boolean {
  return there !== undefined && written !== undefined && identityOf(there) === written.identity;
}

/**
 * What has been written of each file that has several names.
 *
 * The names of one file take turns: the next one begins when it is known how the one before came out. So a name is never linked to a file
 * that is half written, that failed, or that somebody else put there. To be closed.
 */
export class LinkGroups {
  /** Files of which a name has its turn or waits for it. */
  readonly #latest = new Map<string, Promise<WrittenFile | undefined>>();
  readonly #written = new SpilledMap();

  /**
   * Gives a name of the file `id` its turn.
   *
   * @param write is told which file the name can be linked to; returns which one the next name can be linked to
   * @throws what `write` throws; the next name is then told what this one was told
   */
  async take(id: Uint8Array, write: (origin: WrittenFile | undefined) => Promise<WrittenFile | undefined>): Promise<void> {
    const key = idHex(id);
    const before = this.#latest.get(key) ?? Promise.resolve(this.#find(id));
    const turn = before.then(write);
    const latest = turn.catch(() => before);
    this.#latest.set(key, latest);
    try {
      await turn;
    } finally {
      const written = await latest;
      if (this.#latest.get(key) === latest) {
        if (written) this.#written.set(id, joined([written.path, Buffer.from(written.identity)]));
        this.#latest.delete(key);
      }
    }
  }

  close(): void {
    this.#written.close();
  }

  #find(id: Uint8Array): WrittenFile | undefined {
    const bytes = this.#written.get(id);
    if (!bytes) return undefined;
    const [path, identity] = separated(Buffer.from(bytes));
    return { path, identity: identity.toString() };
  }
}
