import { statfsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

const MIB = 1048576;
/** What the state needs of any load: the write-ahead log, a transaction under way, the lists of failures. */
const BASE_BYTES = 64 * MIB;
/** The log of the job: the file that is written, and eight that were put aside at 16 MiB. */
const LOG_BYTES = 9 * 16 * MIB;
/** Less room than this is worth a warning for any tree. */
const LEAST_FREE_BYTES = 100 * MIB;
/**
 * What an entry that waits takes in the database, its name and the row of its directory included: an entry whose
 * directory is written takes nothing any more, so that this is the most only if all wait at once, as those of one huge
 * directory do.
 */
const ENTRY_BYTES = 64;
/** Files that a job makes in its state directory: database and journals, lock, logs, reports. */
const FILES = 16;

/** Room on a file system, for a user without privileges. */
export interface FreeSpace {
  readonly freeBytes: number;
  /** undefined where the file system sets no limit. */
  readonly freeFiles: number | undefined;
}

/**
 * Looks whether the state of a load has room.
 *
 * @param statePath may not exist yet: then its parent is looked at
 * @param entries how many the load has, where that is known
 * @returns warnings, each a sentence or two; none where nothing can be told
 */
export function freeSpaceWarnings(statePath: string, entries?: number): readonly string[] {
  const path = resolve(statePath);
  const space = spaceAt(path);
  return space ? judgeFreeSpace(path, space, entries) : [];
}

/** What {@link freeSpaceWarnings} says of so much room. */
export function judgeFreeSpace(path: string, { freeBytes, freeFiles }: FreeSpace, entries = 0): readonly string[] {
  const quoted = JSON.stringify(path);
  const wantedBytes = BASE_BYTES + LOG_BYTES + entries * ENTRY_BYTES;
  const warnings: string[] = [];
  if (freeBytes < (entries > 0 ? wantedBytes : LEAST_FREE_BYTES)) {
    warnings.push(
      `The disk of the state directory ${quoted} has ${inMib(freeBytes)} MiB free; this load may need up to ${inMib(wantedBytes)} MiB there at a time, logs included. ` +
        'A full disk stops the job: make room there; what is done is kept, and --new-session=false goes on.',
    );
  }
  if (freeFiles !== undefined && freeFiles < FILES) {
    warnings.push(
      `The file system of the state directory ${quoted} has room for ${freeFiles} more files; a job makes up to ${FILES} there. Remove files from it, or name another --state-path.`,
    );
  }
  return warnings;
}

function spaceAt(path: string): FreeSpace | undefined {
  for (let at = path; ; at = dirname(at)) {
    try {
      const { bavail, bsize, files, ffree } = statfsSync(at);
      return { freeBytes: bavail * bsize, freeFiles: files === 0 ? undefined : ffree };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || at === dirname(at)) return undefined;
    }
  }
}

function inMib(bytes: number): number {
  return Math.floor(bytes / MIB);
}
