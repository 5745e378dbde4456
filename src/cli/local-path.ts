import { readlinkSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import { decodeExactly, encodeExactly, isUtf8, parseHexPath, parseTreePath, quotePath } from '../index.js';
import { UsageError } from './arguments.js';

const SLASH = 0x2f;

/**
 * A path of this machine as an argument gives it: as it stands, or in hexadecimal digits. A backslash in it is one, as
 * for every program of a shell.
 *
 * @param text of {@link exactArguments}
 * @returns relative where it is given so, and not empty
 * @throws UsageError, ClfsError `usage`
 */
export function localPath(text: string): Buffer {
  const path = parseHexPath(text) ?? encodeExactly(text);
  // What a shell makes of a variable that is not set, and not meant to be where the caller happens to stand.
  if (path.length === 0) throw new UsageError('a path is empty: name it, or "." for the working directory');
  if (path.includes(0)) throw new UsageError(`the path ${quotePath(path)} holds a NUL, which no path can have`);
  return path;
}

/** {@link localPath}, absolute and normalized. */
export function absolutePath(text: string): Buffer {
  return absolute(localPath(text));
}

/** {@link localPath}, absolute; a slash at its end, which says that it is a directory, stays. */
export function targetPath(text: string): Buffer {
  const path = localPath(text);
  const whole = absolute(path);
  return path.at(-1) === SLASH && whole.length > 1 ? Buffer.concat([whole, Buffer.from([SLASH])]) : whole;
}

/**
 * The absolute path of a directory that is there: {@link localPath}, or where that is not there, what `clfsload` shows
 * so. It is looked for only where the two differ.
 */
export async function presentPath(text: string): Promise<Buffer> {
  const path = absolutePath(text);
  const shown = absolute(parseTreePath(text));
  if (shown.equals(path) || shown.includes(0) || (await isThere(path))) return path;
  return (await isThere(shown)) ? shown : path;
}

/** Without holding up the thread: its file system may not answer. */
async function isThere(path: Buffer): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/**
 * {@link localPath} for what is kept as text.
 *
 * @param what it is, for the message
 * @throws UsageError when it is not UTF-8
 */
export function textPath(text: string, what: string): string {
  const path = localPath(text);
  const exact = decodeExactly(path);
  if (!isUtf8(exact))
    throw new UsageError(
      `the path of ${what} has to be UTF-8, and ${quotePath(path)} is not: name another, or a symlink to it`,
    );
  return exact;
}

function absolute(path: Uint8Array): Buffer {
  return encodeExactly(resolve(workingDirectory(), decodeExactly(path)));
}

/** As text of `decodeExactly`; Node's own has lost what is not UTF-8. */
function workingDirectory(): string {
  const directory = process.cwd();
  return directory.includes('\ufffd') ? decodeExactly(readlinkSync('/proc/self/cwd', 'buffer')) : directory;
}
