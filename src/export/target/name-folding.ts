import { Open } from '../../posix/libc.js';
import { closeLater, lookAtLater, openAtLater, removeAtLater } from '../../posix/libc-later.js';
import { PosixError } from '../../posix/posix-error.js';
import { decodeExactly, encodeExactly } from '../../text/exact-text.js';

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

/**
 * Finds out by a file, which is removed again, which names a directory takes for one.
 *
 * @param prefix what its name begins with, which no other file's does: one that is there was left by a crash
 * @returns undefined where no file can be made, or removed, now
 */
export async function probeNames(directory: number, prefix: string): Promise<NameFolding | undefined> {
  const name = Buffer.from(`${prefix}A\u00e9`);
  const flags = Open.writeOnly | Open.create | Open.exclusive | Open.noFollow;
  try {
    if (await lookAtLater(directory, name)) await removeAtLater(directory, name);
    await closeLater(await openAtLater(directory, name, flags, PRIVATE_FILE));
    try {
      const isTaken = async (variant: string) =>
        (await lookAtLater(directory, Buffer.from(`${prefix}${variant}`))) !== undefined;
      return { letterCase: await isTaken('a\u00e9'), unicodeForm: await isTaken('Ae\u0301') };
    } finally {
      await removeAtLater(directory, name);
    }
  } catch (error) {
    if (error instanceof PosixError) return undefined;
    throw error;
  }
}

/** What is the same for two names that are not told apart. */
export function foldedName(name: Buffer, { letterCase, unicodeForm }: NameFolding): Buffer {
  if (!letterCase && !unicodeForm) return name;
  let text = decodeExactly(name);
  if (unicodeForm) text = text.normalize('NFC');
  if (letterCase) text = text.toLowerCase();
  return encodeExactly(text);
}
