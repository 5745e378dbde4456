import type { Attributes } from '../format/attributes.js';
import { ObjectType } from '../format/ids.js';
import { close, Open, openAt, setModeAt, setModeFd, setOwner, setTimes } from '../posix/libc.js';

const IS_ROOT = process.getuid?.() === 0;

/**
 * Gives an entry its owner (as root), its mode and its times, in the order in which none undoes another.
 *
 * @throws PosixError
 */
export function restoreAttributes(at: number, name: Uint8Array, attributes: Attributes): void {
  if (IS_ROOT) setOwner(at, name, attributes.uid, attributes.gid);
  if (attributes.type !== ObjectType.symlink) setMode(at, name, attributes);
  setTimes(at, name, attributes.atime, attributes.mtime);
}

/** chmod follows symlinks, so that files and directories are opened without following one; symlinks have no mode of their own. */
function setMode(at: number, name: Uint8Array, attributes: Attributes): void {
  if (attributes.type !== ObjectType.regular && attributes.type !== ObjectType.directory) {
    setModeAt(at, name, permissions(attributes));
    return;
  }
  const fd = openAt(at, name, Open.readOnly | Open.noFollow | Open.nonBlock);
  try {
    setModeFd(fd, permissions(attributes));
  } finally {
    close(fd);
  }
}

/** Without root the owner is another one: set-id bits would then give away what they should not. */
function permissions({ mode }: Attributes): number {
  return IS_ROOT ? mode & 0o7777 : mode & 0o1777;
}
