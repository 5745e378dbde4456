import { closeSync, openSync, readlinkSync, renameSync, unlinkSync } from 'node:fs';
import { SYSTEM_CALLS, type TargetCalls } from '../../src/export/target/target-calls.js';
import { Open } from '../../src/posix/libc.js';

/** A file of which something is not synced. */
interface Unsynced {
  readonly fd: number;
  readonly ranges: [position: number, bytes: number][];
}

/** A name that was given since the last sync; `from` what it was renamed from. */
interface NewName {
  readonly path: Buffer;
  readonly from: Buffer | undefined;
}

/**
 * The target's disk, which keeps in memory what was not synced: a power cut loses that, and so does a sync that fails.
 */
export class VolatileDisk {
  readonly #files = new Map<bigint, Unsynced>();
  #names: NewName[] = [];

  readonly calls: TargetCalls = {
    ...SYSTEM_CALLS,
    openAt: (at, name, flags, mode) => {
      const fd = SYSTEM_CALLS.openAt(at, name, flags, mode);
      if ((flags & Open.create) !== 0) this.#named(at, name);
      return fd;
    },
    write: (fd, bytes, position) => {
      this.#wrote(fd, position, bytes.length);
      SYSTEM_CALLS.write(fd, bytes, position);
    },
    makeSymlink: (target, at, name) => {
      SYSTEM_CALLS.makeSymlink(target, at, name);
      this.#named(at, name);
    },
    makeNode: (at, name, ...how) => {
      SYSTEM_CALLS.makeNode(at, name, ...how);
      this.#named(at, name);
    },
    makeLink: (fromAt, fromName, at, name) => {
      SYSTEM_CALLS.makeLink(fromAt, fromName, at, name);
      this.#named(at, name);
    },
    renameAt: (at, name, toAt, toName) => {
      SYSTEM_CALLS.renameAt(at, name, toAt, toName);
      this.#named(toAt, toName, pathOf(at, name));
    },
    renameNew: (at, name, toAt, toName) => {
      const renamed = SYSTEM_CALLS.renameNew(at, name, toAt, toName);
      if (renamed) this.#named(toAt, toName, pathOf(at, name));
      return renamed;
    },
    sync: (fd) => {
      SYSTEM_CALLS.sync(fd);
      this.forget();
    },
  };

  /** The bytes that were not synced are zeros; length, times and name of their files stay as they are. */
  loseBytes(): void {
    for (const { fd, ranges } of this.#files.values()) {
      const was = SYSTEM_CALLS.statFd(fd);
      for (const [position, bytes] of ranges) SYSTEM_CALLS.write(fd, Buffer.alloc(bytes), position);
      SYSTEM_CALLS.setTimesFd(
        fd,
        { seconds: was.atimeSeconds, nanoseconds: was.atimeNanoseconds },
        { seconds: was.mtimeSeconds, nanoseconds: was.mtimeNanoseconds },
      );
    }
    this.forget();
  }

  /** The names that were given and not synced are gone; what was renamed has its name of before. */
  loseNames(): void {
    for (const { path, from } of this.#names.reverse()) {
      try {
        if (from) renameSync(path, from);
        else unlinkSync(path);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
    this.forget();
  }

  /** What was written is durable, or is of no account any more. */
  forget(): void {
    for (const { fd } of this.#files.values()) closeSync(fd);
    this.#files.clear();
    this.#names = [];
  }

  #wrote(fd: number, position: number, bytes: number): void {
    const { inode } = SYSTEM_CALLS.statFd(fd);
    const known = this.#files.get(inode);
    const file = known ?? { fd: openSync(`/proc/self/fd/${fd}`, 'r+'), ranges: [] };
    file.ranges.push([position, bytes]);
    this.#files.set(inode, file);
  }

  #named(at: number, name: Uint8Array, from?: Buffer): void {
    this.#names.push({ path: pathOf(at, name), from });
  }
}

function pathOf(at: number, name: Uint8Array): Buffer {
  return Buffer.concat([readlinkSync(`/proc/self/fd/${at}`, 'buffer'), Buffer.from('/'), name]);
}
