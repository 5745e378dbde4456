import { type FileHandle, open as openHandle } from 'node:fs/promises';
import { ClfsError, messageOf, quotePath } from '../../index.js';
import { localPath } from '../local-path.js';
import type { VerbIo } from './verb.js';

/** Gives `use` a way to write to the file, or to standard output. @throws ClfsError `usage`, `target` */
export async function toTar<T>(
  file: string,
  io: VerbIo,
  use: (write: (bytes: Uint8Array) => Promise<void>) => Promise<T>,
): Promise<T> {
  if (file === '-') return use((bytes) => io.write(bytes));
  const path = localPath(file);
  const handle = await openFile(path);
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
    await attempt(() => syncFile(handle));
    open = false;
    await attempt(() => handle.close());
    return result;
  } finally {
    if (open) await handle.close().catch(() => undefined);
  }
}

/** Makes a file durable; a pipe or a device need not be. */
async function syncFile(handle: FileHandle): Promise<void> {
  if ((await handle.stat()).isFile()) await handle.sync();
}

async function openFile(file: Buffer): Promise<FileHandle> {
  try {
    return await openHandle(file, 'w');
  } catch (cause) {
    throw new ClfsError('usage', `Cannot write ${quotePath(file)}: ${messageOf(cause)}.`, { cause });
  }
}
