import { readFileSync } from 'node:fs';
import { UsageError } from './arguments.js';

/** What Node makes of bytes that are not UTF-8. */
const REPLACEMENT = '\ufffd';

/**
 * Arguments of the process without the loss that they have in `process.argv`, where bytes that are not UTF-8 are
 * U+FFFD: as text of `decodeExactly`.
 *
 * The bytes are those of /proc/self/cmdline, which is looked at only when one is lost. To be called before the process
 * is given another title: that overwrites them.
 *
 * @param argv the last elements of `process.argv`
 * @throws UsageError when /proc is missing, or does not hold these arguments
 */
export async function exactArguments(argv: readonly string[]): Promise<readonly string[]> {
  if (!argv.some((arg) => arg.includes(REPLACEMENT))) return argv;
  const { decodeExactly } = await import('../index.js');
  const given = commandLine().slice(-argv.length);
  const same = given.length === argv.length && given.every((bytes, at) => bytes.toString('utf8') === argv[at]);
  if (!same)
    throw new UsageError(
      'an argument is not UTF-8, and its bytes cannot be had from /proc/self/cmdline. Give the path as hex:// and its bytes in hexadecimal digits, without U+FFFD in any argument.',
    );
  return given.map(decodeExactly);
}

/** Each argument is ended by a NUL. */
function commandLine(): readonly Buffer[] {
  let bytes: Buffer;
  try {
    bytes = readFileSync('/proc/self/cmdline');
  } catch {
    return [];
  }
  // As latin1 each character is a byte.
  return bytes
    .toString('latin1')
    .split('\0')
    .slice(0, -1)
    .map((part) => Buffer.from(part, 'latin1'));
}
