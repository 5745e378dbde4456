import { isClfsError } from '../error.js';
import { isAtOrBelow } from '../paths/is-below.js';
import { isOutOfDescriptors } from '../posix/descriptors.js';
import { mayBeOutage } from '../posix/outage-errors.js';
import { PosixError } from '../posix/posix-error.js';
import type { SourceTree } from './source-tree.js';

/* What tells the failure of an entry from that of its whole file system: the root, or what is mounted below it. */

/** Errors by which a server says that it cannot answer now; what fails so is tried again whatever its root answers. */
const TRANSIENT = new Set(['ESTALE', 'ETIMEDOUT']);
/** Times that it is tried before its root is asked. */
const MOST_TRIES = 3;
/** Pauses before something is tried again; the last one also between all further tries while the source is away. */
export const PAUSES_MS = [1000, 3000, 5000] as const;
const MOST_CAUSES = 8;
const ROOT = Buffer.alloc(0);

/** What the system said, at the root of a failure of an entry. */
function systemErrorOf(error: unknown): PosixError | undefined {
  if (!isClfsError(error, 'entry')) return undefined;
  let at: unknown = error;
  for (let depth = 0; at instanceof Error && depth < MOST_CAUSES; depth++) {
    if (at instanceof PosixError) return at;
    at = at.cause;
  }
  return undefined;
}

/** The error of the system that a failure of an entry comes from, when a server that is away gives it. */
export function outageOf(error: unknown): string | undefined {
  const cause = systemErrorOf(error);
  return mayBeOutage(cause) ? cause.errno : undefined;
}

/** Whether what has failed so, and so often, is tried again whatever its root answers. */
export function isTransient(errno: string, tries: number): boolean {
  return TRANSIENT.has(errno) && tries < MOST_TRIES;
}

/** Where the innermost file system is mounted that a path is on; empty: it is that of the root. */
export function mountOf(path: Uint8Array, mountPoints: readonly Buffer[]): Buffer {
  let root: Buffer = ROOT;
  for (const point of mountPoints) if (point.length > root.length && isAtOrBelow(path, point)) root = point;
  return root;
}

/** Where file systems are mounted below the root, as far as what is there now is part of the source. */
export function mountPointsOf(source: SourceTree): readonly Buffer[] {
  return (source.mounts?.() ?? []).filter(({ isLater }) => !isLater).map(({ path }) => path);
}

/** Whether a file system answers, by where it is mounted. */
export async function rootAnswers(source: SourceTree, path: Buffer): Promise<boolean> {
  try {
    const { async } = source;
    const root = async ? await async.openDirectory(path) : source.openDirectory(path);
    try {
      // What a client remembers of it says nothing of its server.
      await (root.async?.attributes(true) ?? root.attributes(true));
    } finally {
      root.close();
    }
    return true;
  } catch (error) {
    // One that refuses is there; of what this process lacks it says nothing.
    const cause = systemErrorOf(error);
    return cause !== undefined && !mayBeOutage(cause) && !isOutOfDescriptors(error);
  }
}
