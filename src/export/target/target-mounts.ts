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
export async function requireSameMounts(target: LookedAt, mounts: readonly TargetMount[]): Promise<void> {
  const {
    lacking: [lacking],
    further: [further],
  } = await mountDifferences(target, mounts);
  if (lacking)
    throw new ClfsError(
      'target',
      `its target lacks what is mounted at ${quotePath(lacking.path)} on the driver's machine: mount it here too.`,
    );
  if (further)
    throw new ClfsError(
      'target',
      `its target has something mounted at ${quotePath(further)} that is not mounted there on the driver's machine: unmount it here, or mount it there and begin again.`,
    );
}

/**
 * In what a target differs from what was mounted below it, or is on another machine.
 *
 * @returns `lacking`: those of `mounts` that are not there; `further`: places at which something else is mounted
 * @throws PosixError
 */
export async function mountDifferences(
  { mounted, look }: LookedAt,
  mounts: readonly TargetMount[],
): Promise<{ readonly lacking: readonly TargetMount[]; readonly further: readonly Buffer[] }> {
  const isMounted = (path: Uint8Array) => mounted.some((each) => each.equals(path));
  const lacking: TargetMount[] = [];
  for (const mount of mounts) {
    const { path, inode } = mount;
    if (inode === 0n) continue;
    const here = await look(path);
    // It need not be possible to look at it.
    if (here ? isOther(here, mount) : !isMounted(path)) lacking.push(mount);
  }
  const there = new Set(mounts.filter((mount) => !lacking.includes(mount)).map(({ path }) => hexOf(path)));
  return { lacking, further: mounted.filter((path) => !there.has(hexOf(path))) };
}

function hexOf(path: Uint8Array): string {
  return Buffer.from(path).toString('hex');
}

function isOther(
  here: Pick<TargetMount, 'inode' | 'bornNs'>,
  { inode, bornNs }: Pick<TargetMount, 'inode' | 'bornNs'>,
) {
  return here.inode !== inode || (bornNs !== 0n && here.bornNs !== 0n && here.bornNs !== bornNs);
}
