import type { FileStatus } from '../posix/libc.js';

/** A file that this export has written whole: where, and what it then was. */
export interface WrittenFile {
  readonly path: Buffer;
  readonly status: FileStatus;
}

/** Whether a file that is there is the one that was written. Numbers of inodes are given out again: size and time must be the same too. */
export function isWritten(there: FileStatus | undefined, written: WrittenFile | undefined): boolean {
  if (!there || !written) return false;
  const { status } = written;
  return (
    there.inode === status.inode &&
    there.device === status.device &&
    there.sizeBytes === status.sizeBytes &&
    there.mtimeSeconds === status.mtimeSeconds &&
    there.mtimeNanoseconds === status.mtimeNanoseconds
  );
}

/**
 * What has been written of each file that has several names.
 *
 * The names of one file take turns: the next one begins when it is known how the one before came out. So a name is never linked to a file
 * that is half written, that failed, or that somebody else put there.
 */
export class LinkGroups {
  readonly #latest = new Map<string, Promise<WrittenFile | undefined>>();

  /**
   * Gives a name of the file `id` its turn.
   *
   * @param write is told which file the name can be linked to; returns which one the next name can be linked to
   * @throws what `write` throws; the next name is then told what this one was told
   */
  async take(id: string, write: (origin: WrittenFile | undefined) => Promise<WrittenFile | undefined>): Promise<void> {
    const before = this.#latest.get(id) ?? Promise.resolve(undefined);
    const turn = before.then(write);
    this.#latest.set(
      id,
      turn.catch(() => before),
    );
    await turn;
  }
}
