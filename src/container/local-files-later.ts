import fs, { type BigIntStats, type Dir, type Stats } from 'node:fs';
import {
  identityOf,
  isLeased,
  isNoFile,
  LISTING,
  type LocalFiles,
  lookOf,
  MAKING,
  MODE,
  markOf,
  NAMES_AT_ONCE,
  NOTHING_TO_READ,
  READING,
  WAITING,
} from './local-files.js';

/** {@link LocalFiles} that wait in threads of Node's pool, many at once. */
export const LOCAL_FILES_LATER: LocalFiles = {
  async look(path) {
    try {
      return lookOf(await called<Stats>((done) => fs.stat(path, done)));
    } catch (error) {
      if (NOTHING.has((error as NodeJS.ErrnoException).code ?? '')) return undefined;
      throw error;
    }
  },
  async read(path, limitBytes) {
    let fd: number;
    try {
      fd = await called<number>((done) => fs.open(path, READING, done));
    } catch (error) {
      if (isNoFile(error)) return NOTHING_TO_READ;
      if (!isLeased(error)) throw error;
      const look = lookOf(await called<Stats>((done) => fs.stat(path, done)));
      if (!look.isFile) return look;
      fd = await called<number>((done) => fs.open(path, WAITING, done));
    }
    try {
      const look = lookOf(await called<Stats>((done) => fs.fstat(fd, done)));
      if (!look.isFile || look.sizeBytes > limitBytes) return look;
      const bytes = Buffer.allocUnsafe(look.sizeBytes);
      let at = 0;
      for (let count = -1; at < bytes.length && count !== 0; at += count)
        count = await called<number>((done) => fs.read(fd, bytes, at, bytes.length - at, at, done));
      return bytes.subarray(0, at);
    } finally {
      await close(fd);
    }
  },
  create: (path) => called<number>((done) => fs.open(path, MAKING, MODE, done)),
  async fill(fd, body, sync) {
    try {
      for (let at = 0; at < body.length; )
        at += await called<number>((done) => fs.write(fd, body, at, body.length - at, null, done));
      if (sync) await called<void>((done) => fs.fsync(fd, done));
    } finally {
      await close(fd);
    }
  },
  link: (path, to) => called<void>((done) => fs.link(path, to, done)),
  rename: (path, to) => called<void>((done) => fs.rename(path, to, done)),
  remove: (path) => called<void>((done) => fs.unlink(path, done)),
  async openDirectory(path) {
    const directory = await called<Dir>((done) => fs.opendir(path, LISTING, done));
    return {
      async next() {
        const names: string[] = [];
        while (names.length < NAMES_AT_ONCE) {
          const entry = await called<fs.Dirent | null>((done) => directory.read(done));
          if (!entry) break;
          names.push(entry.name);
        }
        return names;
      },
      close: () => called<void>((done) => directory.close(done)),
    };
  },
  times: (fd) => called<BigIntStats>((done) => fs.fstat(fd, { bigint: true }, done)),
  async mark(path) {
    try {
      return markOf(await called<BigIntStats>((done) => fs.stat(path, { bigint: true }, done)));
    } catch (error) {
      if (NOTHING.has((error as NodeJS.ErrnoException).code ?? '')) return undefined;
      throw error;
    }
  },
  identity: async (path) => identityOf(await called<BigIntStats>((done) => fs.stat(path, { bigint: true }, done))),
};

/** What a look fails with where there is nothing. */
const NOTHING = new Set(['ENOENT', 'ENOTDIR']);

type Done<T> = (error: NodeJS.ErrnoException | null, result?: T) => void;

function called<T>(make: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    make((error, result) => {
      if (error) reject(error);
      else resolve(result as T);
    });
  });
}

function close(fd: number): Promise<void> {
  return called<void>((done) => fs.close(fd, done));
}
