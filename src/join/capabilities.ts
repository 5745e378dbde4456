import { readFileSync } from 'node:fs';

/** Source: capabilities(7), linux/capability.h: the numbers of their bits. */
const CHOWN = 1 << 0;
const OVERRIDE = 1 << 1;
const READ_SEARCH = 1 << 2;
const OWNER = 1 << 3;

/** The capabilities of this process by which it may use files of others, as bits; undefined where the kernel does not tell. */
export function fileCapabilities(): number | undefined {
  try {
    return parseCapabilities(readFileSync('/proc/self/status', 'latin1'));
  } catch {
    return undefined;
  }
}

/** Source: proc(5), `/proc/pid/status`: CapEff, hexadecimal. */
export function parseCapabilities(status: string): number | undefined {
  const [, digits] = /^CapEff:\s*([0-9a-f]+)$/m.exec(status) ?? [];
  return digits === undefined
    ? undefined
    : Number.parseInt(digits.slice(-2), 16) & (CHOWN | OVERRIDE | READ_SEARCH | OWNER);
}

/**
 * What one process may not do with files of others that another one may.
 *
 * @param writes whether it is to write files, and to give them owners and modes
 * @returns for people, undefined: it may do all that the other one may
 */
export function lackingCapability(own: number, wanted: number, writes: boolean): string | undefined {
  const lacks = (...bits: number[]) => bits.some((bit) => wanted & bit) && !bits.some((bit) => own & bit);
  if (lacks(OVERRIDE, READ_SEARCH)) return 'read whatever belongs to others (CAP_DAC_OVERRIDE or CAP_DAC_READ_SEARCH)';
  if (!writes) return undefined;
  if (lacks(OVERRIDE)) return 'write where others may not (CAP_DAC_OVERRIDE)';
  if (lacks(CHOWN)) return 'give files to others (CAP_CHOWN)';
  return lacks(OWNER) ? 'give modes and times to files of others (CAP_FOWNER)' : undefined;
}
