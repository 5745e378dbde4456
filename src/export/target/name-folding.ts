import { Open } from '../../posix/libc.js';
import { PosixError } from '../../posix/posix-error.js';
import { decodeExactly, encodeExactly } from '../../text/exact-text.js';
import type { AnyCalls } from './target-calls.js';

/** What a file system does not tell apart in names; plain data. */
export interface NameFolding {
  /** Capital and small letters. */
  readonly letterCase: boolean;
  /** Ways to write one character in Unicode: as one, or as a letter and its accent. */
  readonly unicodeForm: boolean;
}

/** All names are told apart. */
export const EXACT_NAMES: NameFolding = { letterCase: false, unicodeForm: false };

const PRIVATE_FILE = 0o600;
const CREATE_FLAGS = Open.writeOnly | Open.create | Open.exclusive | Open.noFollow;
/** What says that no file of such a name may be made there; anything else is trouble that may be over soon. */
export const NOT_MADE = new Set(['EACCES', 'EPERM', 'EINVAL', 'EILSEQ', 'ENOENT', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS']);

/**
 * Finds out by files, which are removed again, which names a directory takes for one.
 *
 * @param prefix what their names begin with, which no other file's do: one that is there was left by a crash
 * @returns undefined where such a file may not be made
 * @throws PosixError where it cannot be made now, as where there is no room
 */
export async function probeNames(calls: AnyCalls, directory: number, prefix: string): Promise<NameFolding | undefined> {
  // Any file system has these letters: one that has no others folds them all the same.
  const letterCase = await probeLetterCase(calls, directory, prefix);
  if (letterCase === undefined) return undefined;
  const forms = [`${prefix}\u00e9`, `${prefix}e\u0301`] as const;
  return { letterCase, unicodeForm: (await areOne(calls, directory, forms)) ?? false };
}

/** Finds out only whether capital letters are taken for small ones. @throws as {@link probeNames} */
export async function probeLetterCase(
  calls: AnyCalls,
  directory: number,
  prefix: string,
): Promise<boolean | undefined> {
  return areOne(calls, directory, [`${prefix}A`, `${prefix}a`]);
}

async function areOne(
  calls: AnyCalls,
  directory: number,
  [one, other]: readonly [string, string],
): Promise<boolean | undefined> {
  const name = Buffer.from(one);
  try {
    await calls.close(await create(calls, directory, name));
    try {
      return (await calls.lookAt(directory, Buffer.from(other))) !== undefined;
    } finally {
      await calls.removeAt(directory, name);
    }
  } catch (error) {
    if (error instanceof PosixError && NOT_MADE.has(error.errno)) return undefined;
    throw error;
  }
}

async function create(calls: AnyCalls, directory: number, name: Buffer): Promise<number> {
  try {
    return await calls.openAt(directory, name, CREATE_FLAGS, PRIVATE_FILE);
  } catch (error) {
    if (!(error instanceof PosixError && error.errno === 'EEXIST')) throw error;
    await calls.removeAt(directory, name);
    return calls.openAt(directory, name, CREATE_FLAGS, PRIVATE_FILE);
  }
}

/**
 * What the name of the file begins with by which a job finds that.
 *
 * @param temporaryPrefix of the job's temporary names
 * @param attempt that does it: one that was given up and one that does the same again take nothing from each other
 */
export function namesPrefix(temporaryPrefix: string, attempt: string): string {
  return `${temporaryPrefix}names-${attempt}-`;
}

/** Characters that are not seen, and of which such a file system takes no notice. */
const IGNORABLE = /\p{Default_Ignorable_Code_Point}/gu;

/**
 * What is the same for two names that are not told apart. File systems have tables of their own, which are not known: where
 * these may differ, two names that would be told apart are taken for one, which is a failure of one of them; taken the other
 * way one would replace the other.
 */
export function foldedName(name: Buffer, { letterCase, unicodeForm }: NameFolding): Buffer {
  if (!letterCase && !unicodeForm) return name;
  let text = decodeExactly(name);
  if (unicodeForm) text = text.normalize('NFD').replace(IGNORABLE, '');
  // Letters that are one only as capitals (final sigma, long s), or only as small ones (the Kelvin sign), are one, too; FAT
  // does without dots at the end.
  if (letterCase) text = text.toLowerCase().toUpperCase().toLowerCase().replace(/\.+$/, '');
  if (unicodeForm) text = text.normalize('NFC');
  return encodeExactly(text);
}
