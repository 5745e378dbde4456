import { type FileHandle, open, realpath } from 'node:fs/promises';
import { ClfsError, messageOf, quotePath } from '../../index.js';
import { localPath } from '../local-path.js';
import { openOutput } from '../open-output.js';
import type { VerbIo } from './verb.js';

const SLASH = 0x2f;
/** What a directory says that cannot be synced by itself. */
const NOT_SYNCED = new Set(['EINVAL', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS']);
const OUT_OF_REACH = new Set(['EACCES', 'ENOENT', 'ENOTDIR', 'ELOOP']);

/** Gives `use` a way to write to the file, or to standard output. @throws ClfsError `usage`, `target` */
export async function toTar<T>(
  file: string,
  io: VerbIo,
  use: (write: (bytes: Uint8Array) => Promise<void>) => Promise<T>,
): Promise<T> {
  if (file === '-') return use((bytes) => io.write(bytes));
  const path = localPath(file);
  const handle = await openOutput(path);
  const attempt = async (work: () => Promise<void>) => {
    try {
      await work();
    } catch (cause) {
      throw new ClfsError(
        'target',
        `Cannot write ${quotePath(path)}: ${messageOf(cause)}. The tar is not complete: make room, and start again.`,
        {
          cause,
        },
      );
    }
  };
  let open = true;
  try {
    const result = await use((bytes) =>
      attempt(async () => {
        for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at)).bytesWritten;
      }),
    );
    // Some file systems tell only now that the disk is full, or that it failed.
    await attempt(() => syncFile(handle, path));
    open = false;
    await attempt(() => handle.close());
    return result;
  } finally {
    if (open) await handle.close().catch(() => undefined);
  }
}

/** Makes a file durable, and its name; a pipe or a device need not be. */
async function syncFile(handle: FileHandle, path: Buffer): Promise<void> {
  if (!(await handle.stat()).isFile()) return;
  await handle.sync();
  const directory = await openParent(path);
  try {
    await directory?.sync();
  } catch (error) {
    if (!NOT_SYNCED.has(codeOf(error))) throw error;
  } finally {
    await directory?.close();
  }
}

/**
 * The directory that has the file, which a symlink may name; undefined where it cannot be read, or the file has no name
 * any more.
 */
async function openParent(path: Buffer): Promise<FileHandle | undefined> {
  try {
    const real = await realpath(path, 'buffer');
    return await open(real.subarray(0, real.lastIndexOf(SLASH) + 1), 'r');
  } catch (error) {
    if (OUT_OF_REACH.has(codeOf(error))) return undefined;
    throw error;
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}
