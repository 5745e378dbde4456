import type { FileStatus } from '../../posix/file-status.js';
import { Open } from '../../posix/libc.js';
import { PosixError } from '../../posix/posix-error.js';
import { NOT_MADE } from './name-folding.js';
import type { AnyCalls } from './target-calls.js';

/** What a file system keeps of the attributes that a file is given; plain data. */
export interface KeptAttributes {
  readonly mode: boolean;
  /** Whether a file stays somebody else's that was given away; true where this process may give none away. */
  readonly owner: boolean;
  /** Seconds since 1970 of the earliest and the latest time: one beyond them is kept as the nearer of both. */
  readonly earliest: number;
  readonly latest: number;
  /** Whether it keeps even seconds alone, as FAT does; missing: it does not. */
  readonly evenSeconds?: true;
}

const EARLIEST = 0;
const LATEST = 0xffffffff;
/** A time that any file system has, but for those that keep even seconds. */
const ODD_SECOND = 1_000_000_001;

/** All that a container can have. */
export const KEPT_WHOLE: KeptAttributes = { mode: true, owner: true, earliest: EARLIEST, latest: LATEST };

const CREATE_FLAGS = Open.writeOnly | Open.create | Open.exclusive | Open.noFollow;
/** Two modes that no mask, and no mode that is the same for all files, has both of. */
const MODES = [0o640, 0o517] as const;
const OTHER_OWNER = 1;
/** What says that something may not be given, or not made, there; somebody else may have no room left. */
const NOT_ALLOWED = new Set([...NOT_MADE, 'EDQUOT']);

/**
 * Finds out by a file, which is removed again, what a file system keeps of attributes: some keep none of another one, and
 * do not say so.
 *
 * @param name of the file, which no other file has: one that is there was left by a crash
 * @returns undefined where no file may be made
 * @throws PosixError where it cannot be made now, as where there is no room
 */
export async function probeKept(calls: AnyCalls, directory: number, name: Buffer): Promise<KeptAttributes | undefined> {
  const fd = await allowed(async () => {
    if (await calls.lookAt(directory, name)) await calls.removeAt(directory, name);
    return calls.openAt(directory, name, CREATE_FLAGS, MODES[0]);
  });
  if (fd === undefined) return undefined;
  try {
    const hasAfter = async (give: () => void | Promise<void>, has: (status: FileStatus) => boolean) =>
      (await allowed(async () => {
        await give();
        return has(await calls.statFd(fd, true));
      })) ?? true;
    let mode = true;
    for (const each of MODES)
      mode &&= await hasAfter(
        () => calls.setModeFd(fd, each),
        (is) => (is.mode & 0o777) === each,
      );
    const secondsAfter = async (seconds: number) =>
      allowed(async () => {
        const time = { seconds, nanoseconds: 0 };
        await calls.setTimesFd(fd, time, time);
        return (await calls.statFd(fd, true)).mtimeSeconds;
      });
    const earliest = (await secondsAfter(EARLIEST)) ?? EARLIEST;
    const latest = (await secondsAfter(LATEST)) ?? LATEST;
    const evenSeconds = (await secondsAfter(ODD_SECOND)) === ODD_SECOND - 1;
    const owner = await hasAfter(
      () => calls.setOwnerFd(fd, OTHER_OWNER, OTHER_OWNER),
      ({ uid, gid }) => uid === OTHER_OWNER && gid === OTHER_OWNER,
    );
    return { mode, owner, earliest, latest, ...(evenSeconds && { evenSeconds }) };
  } finally {
    try {
      await calls.close(fd);
    } finally {
      await calls.removeAt(directory, name);
    }
  }
}

async function allowed<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof PosixError && NOT_ALLOWED.has(error.errno)) return undefined;
    throw error;
  }
}

/** What of attributes a file system loses, in the plural; none where it keeps all. */
export function lostAttributes({ mode, owner, earliest, latest }: KeptAttributes): readonly string[] {
  const isTimeLost = earliest !== EARLIEST || latest !== LATEST;
  return [...(owner ? [] : ['owners']), ...(mode ? [] : ['modes']), ...(isTimeLost ? ['times'] : [])];
}

/** A sentence of it; undefined where all is kept. */
export function lossText(kept: KeptAttributes): string | undefined {
  const lost = lostAttributes(kept);
  if (lost.length === 0) return undefined;
  const day = (seconds: number) => new Date(seconds * 1000).toISOString().slice(0, 10);
  const range = lost.includes('times') ? ` (its times are from ${day(kept.earliest)} to ${day(kept.latest)})` : '';
  return `The target does not keep all ${lost.join(', ')} that it is given${range}: entries may have others than the container has, and nothing else tells of it. Where they count, export to another file system, or keep the output of "clfsload manifest" beside it.`;
}
