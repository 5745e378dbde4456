import { patiently } from '../posix/descriptors.js';
import { close, type FileStatus, Open, openAt, PosixError, statAt } from '../posix/libc.js';

const DIRECTORY_FLAGS = Open.readOnly | Open.directory | Open.noFollow;

/** A directory below the root, open, and an entry's name in it. */
export interface TargetPlace {
  readonly fd: number;
  readonly name: Buffer;
  release(): void;
}

/** Opens a directory below `root`, component by component: no symlink is followed. @throws PosixError */
export function openBelow(root: number, path: Buffer): Promise<number> {
  return patiently(path.length === 0 ? '.' : path, () => openComponents(root, path));
}

/** Opens the directory that the entry at `path` is in; the root is in itself. @throws PosixError */
export async function openParent(root: number, path: Buffer): Promise<TargetPlace> {
  if (path.length === 0) return { fd: root, name: Buffer.from('.'), release: () => undefined };
  const slash = path.lastIndexOf(0x2f);
  const fd = await openBelow(root, path.subarray(0, Math.max(0, slash)));
  return { fd, name: path.subarray(slash + 1), release: () => close(fd) };
}

/** lstat of an entry that need not be there. @throws PosixError */
export function statOrUndefined(fd: number, name: Buffer): FileStatus | undefined {
  try {
    return statAt(fd, name);
  } catch (error) {
    if (error instanceof PosixError && error.errno === 'ENOENT') return undefined;
    throw error;
  }
}

function openComponents(root: number, path: Buffer): number {
  let fd = openAt(root, Buffer.from('.'), DIRECTORY_FLAGS);
  if (path.length === 0) return fd;
  for (let at = 0; at < path.length; ) {
    const slash = path.indexOf(0x2f, at);
    const end = slash < 0 ? path.length : slash;
    try {
      const next = openAt(fd, path.subarray(at, end), DIRECTORY_FLAGS);
      close(fd);
      fd = next;
    } catch (error) {
      close(fd);
      throw error;
    }
    at = end + 1;
  }
  return fd;
}
