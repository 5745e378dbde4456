import type { DirectoryIdentity, SourceAttributes } from '../source/source-tree.js';
import { unlessStopped } from '../waits/waits.js';
import type { WorkContext } from '../worker/context.js';
import { hasLeft, lookAtDirectory } from '../worker/source-looks.js';

/** By what the calling thread looks at the source outside of its lane. */
export interface SourceTools {
  readonly work: Pick<WorkContext, 'source' | 'pace'>;
  readonly signal: AbortSignal;
}

/**
 * Attributes of a directory of the source. A server that never answers holds up neither the thread nor a stop.
 *
 * @throws as `SourceTree.openDirectory`; ClfsError `open-files`, `cancelled`
 */
export function lookAtSource(
  { work, signal }: SourceTools,
  path: Buffer,
  expected?: DirectoryIdentity,
): Promise<SourceAttributes> {
  return unlessStopped(signal, () => lookAtDirectory(work, path, expected));
}

/**
 * Whether it is certain that a directory which is not found by its name has left that.
 *
 * @param path of the directory that it was in
 * @throws as {@link lookAtSource}
 */
export function hasLeftSource({ work, signal }: SourceTools, path: Buffer, name: Buffer): Promise<boolean> {
  return unlessStopped(signal, () => hasLeft(work, path, name));
}
