import type { Attributes } from '../format/attributes.js';
import { ObjectType } from '../format/ids.js';
import { patiently } from '../posix/descriptors.js';
import type { AsyncSourceFile, SourceAttributes, SourceDirectory, SourceFile } from '../source/source-tree.js';
import { openPatiently, type WorkContext } from './context.js';
import { toAttributes } from './file-attributes.js';
import { changedWhileRead } from './item.js';
import { hashFile } from './manifest-lines.js';
import type { LargeFile } from './tasks.js';

/** Bytes of one call where several of a large file are under way: of less, the calls cost more than they bring. */
const RANGE_BYTES = 524_288;

/** Copies or reads the bytes that were asked for into a buffer of just that length. @throws ClfsError `entry` */
type Read = (target: Buffer) => void;

/** An open file of many segments, in the way of calling that its lane had when it was opened. */
export interface LargeReader {
  /** @throws ClfsError `entry` when the file is not any more what was recorded before its first segment was sent */
  requireUnchanged(recorded: Attributes): Promise<void>;
  /** @throws ClfsError `entry` when it is longer than `sizeBytes` */
  requireEnd(sizeBytes: number): Promise<void>;
  /**
   * Builds something of some of the file's bytes. What it gives is of bytes that were read while the file was as
   * recorded; else it is dropped.
   *
   * @param build calls `read` once, and waits for nothing after that
   * @throws ClfsError `entry`: `entry-changed` when it has changed or is shorter, `entry-unreadable`
   */
  reading<T extends { drop(): void }>(
    offset: number,
    bytes: number,
    recorded: Attributes,
    build: (read: Read) => Promise<T>,
  ): Promise<T>;
  /** SHA-256 of all of it. @throws ClfsError `entry`: `entry-changed` when it is shorter; `cancelled` when the job stops */
  hash(sizeBytes: number): Promise<string>;
  close(): Promise<void>;
}

/** Opens a large file. @throws ClfsError `entry`; `open-files` */
export async function openLarge(
  directory: SourceDirectory,
  large: LargeFile,
  context: WorkContext,
): Promise<LargeReader> {
  const name = Buffer.from(large.sourceName);
  const async = context.pace.isAsync ? directory.async : undefined;
  if (async) {
    const { path } = large.place;
    const file = await patiently(name, () => context.pace.during(path, name, () => async.openFile(name)));
    return readManyAtOnce(file, path, name, context);
  }
  return readDirectly(await openPatiently(name, () => directory.openFile(name)), context);
}

function readDirectly(file: SourceFile, { stop }: WorkContext): LargeReader {
  return {
    requireUnchanged: async (recorded) => requireSame(file.attributes(), recorded),
    async requireEnd(sizeBytes) {
      if (file.read(Buffer.alloc(1), sizeBytes) !== 0) throw changedWhileRead();
    },
    async reading(offset, bytes, recorded, build) {
      const built = await build((target) => {
        if (file.read(target, offset) !== bytes) throw changedWhileRead();
      });
      try {
        requireSame(file.attributes(true), recorded);
      } catch (error) {
        built.drop();
        throw error;
      }
      return built;
    },
    hash: (sizeBytes) => hashFile((target, position) => file.read(target, position), sizeBytes, stop),
    close: async () => file.close(),
  };
}

function readManyAtOnce(file: AsyncSourceFile, path: Uint8Array, name: Buffer, context: WorkContext): LargeReader {
  const during = <T>(call: () => Promise<T>) => context.pace.during(path, name, call);
  return {
    requireUnchanged: async (recorded) => requireSame(await during(() => file.attributes()), recorded),
    async requireEnd(sizeBytes) {
      if ((await during(() => file.read(Buffer.alloc(1), sizeBytes))) !== 0) throw changedWhileRead();
    },
    async reading(offset, bytes, recorded, build) {
      const buffer = await context.readBuffers.acquire(bytes);
      try {
        const data = buffer.subarray(0, bytes);
        await during(async () => {
          if ((await readRanges(file, data, offset)) !== bytes) throw changedWhileRead();
          requireSame(await file.attributes(true), recorded);
        });
        return await build((target) => void data.copy(target));
      } finally {
        context.readBuffers.release(buffer);
      }
    },
    hash: (sizeBytes) =>
      hashFile((target, position) => during(() => readRanges(file, target, position)), sizeBytes, context.stop),
    close: () => file.close(),
  };
}

/**
 * Reads bytes by several calls at once.
 *
 * @returns how many there are from `position` on before the first that is missing
 * @throws the first error, when none of the calls writes into `target` any more
 */
async function readRanges(file: AsyncSourceFile, target: Buffer, position: number): Promise<number> {
  const starts: number[] = [];
  for (let at = 0; at < target.length; at += RANGE_BYTES) starts.push(at);
  const ends = await Promise.allSettled(
    starts.map((at) => file.read(target.subarray(at, at + RANGE_BYTES), position + at)),
  );
  for (const [index, end] of ends.entries()) {
    if (end.status === 'rejected') throw end.reason;
    const wanted = Math.min(RANGE_BYTES, target.length - starts[index]);
    if (end.value < wanted) return starts[index] + end.value;
  }
  return target.length;
}

function requireSame(now: SourceAttributes, recorded: Attributes): void {
  const { mtime, ctime, inodeNumber, lengthBytes, mode, uid, gid } = toAttributes(
    now,
    NO_CONSTANTS,
    Number(now.sizeBytes),
    0,
  );
  const same =
    now.type === ObjectType.regular &&
    inodeNumber === recorded.inodeNumber &&
    lengthBytes === recorded.lengthBytes &&
    mode === recorded.mode &&
    uid === recorded.uid &&
    gid === recorded.gid &&
    mtime.seconds === recorded.mtime.seconds &&
    mtime.nanoseconds === recorded.mtime.nanoseconds &&
    ctime.seconds === recorded.ctime.seconds &&
    ctime.nanoseconds === recorded.ctime.nanoseconds;
  if (!same) throw changedWhileRead();
}

const NO_CONSTANTS = { fsid: 0, containerId: 0 } as Parameters<typeof toAttributes>[1];
