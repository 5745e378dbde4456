const SLASH = 0x2f;

/**
 * Whether a path is that of a directory, or of something below it. Both are absolute, or both below the same root, as
 * `joinPath` makes them.
 */
export function isAtOrBelow(path: Uint8Array, directory: Uint8Array): boolean {
  const { length } = directory;
  if (length === 0 || (length === 1 && directory[0] === SLASH)) return true;
  if (path.length < length || (path.length > length && path[length] !== SLASH)) return false;
  return Buffer.compare(path.subarray(0, length), directory) === 0;
}

/** The same of what is below it alone. */
export function isBelow(path: Uint8Array, directory: Uint8Array): boolean {
  return path.length > directory.length && isAtOrBelow(path, directory);
}
