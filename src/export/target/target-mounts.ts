import { ClfsError } from '../../error.js';
import { quotePath } from '../../text/escape-path.js';
import type { OpenTarget } from '../open-target.js';

/** What is mounted below a target, by what another machine finds that it is the same. Plain data. */
export interface TargetMount {
  /** Below the target's root. */
  readonly path: Uint8Array;
  /** Of the root of what is mounted there; 0 where it cannot be looked at. */
  readonly inode: bigint;
  readonly bornNs: bigint;
}

/** What of a target another machine can look at. */
type LookedAt = Pick<OpenTarget, 'mounted' | 'look'>;

/** What is mounted below a target. */
export function mountsOf({ mounted, look }: LookedAt): Promise<readonly TargetMount[]> {
  return Promise.all(
    mounted.map(async (path) => {
      const { inode, bornNs } = (await look(path)) ?? { inode: 0n, bornNs: 0n };
      return { path, inode, bornNs };
    }),
  );
}

/**
 * Makes sure that what is written below a target goes to the same file systems here as it does where the driver is: one
 * that is mounted on one machine only hides what the other writes in its place.
 *
 * @throws ClfsError `target`
 */
export async function requireSameMounts({ mounted, look }: LookedAt, mounts: readonly TargetMount[]): Promise<void> {
  for (const { path, inode, bornNs } of mounts) {
    if (inode === 0n) continue;
    const here = await look(path);
    if (here?.inode !== inode || (bornNs !== 0n && here.bornNs !== 0n && here.bornNs !== bornNs))
      throw new ClfsError(
        'target',
        `its target lacks what is mounted at ${quotePath(path)} on the driver's machine: mount it here too.`,
      );
  }
  const known = new Set(mounts.map(({ path }) => Buffer.from(path).toString('hex')));
  const other = mounted.find((path) => !known.has(path.toString('hex')));
  if (other)
    throw new ClfsError(
      'target',
      `its target has something mounted at ${quotePath(other)} that is not mounted there on the driver's machine: unmount it here, or mount it there and begin again.`,
    );
}
