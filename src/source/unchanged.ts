import type { SourceAttributes } from './source-tree.js';

/**
 * Whether nothing happened to a file between two looks at it. The access time and the number of links may have changed.
 * Permissions and owners are compared beside the times, which a clock that moves in steps may have left as they were.
 */
export function isUnchanged(before: SourceAttributes, after: SourceAttributes): boolean {
  return (
    before.inode === after.inode &&
    before.mode === after.mode &&
    before.uid === after.uid &&
    before.gid === after.gid &&
    before.sizeBytes === after.sizeBytes &&
    before.mtimeNanoseconds === after.mtimeNanoseconds &&
    before.mtimeSeconds === after.mtimeSeconds &&
    before.ctimeNanoseconds === after.ctimeNanoseconds &&
    before.ctimeSeconds === after.ctimeSeconds
  );
}
