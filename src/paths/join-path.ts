const SLASH = Buffer.from('/');

/**
 * Path of what is at `path` below the directory `directory`.
 *
 * Paths are bytes below a root, their components joined by `/`; that of the root itself is empty.
 *
 * @returns bytes of its own
 */
export function joinPath(directory: Uint8Array, path: Uint8Array): Buffer {
  if (directory.length === 0) return Buffer.from(path);
  return path.length === 0 ? Buffer.from(directory) : Buffer.concat([directory, SLASH, path]);
}

/** The same of several, each below the one before. @returns bytes of its own */
export function joinPaths(paths: readonly Uint8Array[]): Buffer {
  const components = paths.filter(({ length }) => length > 0);
  return Buffer.concat(components.flatMap((component, index) => (index === 0 ? [component] : [SLASH, component])));
}
