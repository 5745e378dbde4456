import type { SourceAttributes } from './source-tree.js';

/**
 * Whether nothing happened to a file between two looks at it. The access time and the number of links may have changed.
 */
export function isUnchanged(before: SourceAttributes, after: SourceAttributes): boolean {
  return (
    before.inode === after.inode &&
    before.sizeBytes === after.sizeBytes &&
    before.mtimeNanoseconds === after.mtimeNanoseconds &&
    before.mtimeSeconds === after.mtimeSeconds &&
    before.ctimeNanoseconds === after.ctimeNanoseconds &&
    before.ctimeSeconds === after.ctimeSeconds
  );
}
