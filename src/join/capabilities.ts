import { readFileSync } from 'node:fs';

/** Source: capabilities(7), linux/capability.h: the numbers of their bits. */
const CHOWN = 1 << 0;
const OVERRIDE = 1 << 1;
const READ_SEARCH = 1 << 2;
const OWNER = 1 << 3;
/** None of theirs: it sees whom files belong to, whoever that is. */
const ALL_OWNERS = 1 << 4;
/** Users, or groups, that there are. */
const OWNERS = 2 ** 32 - 1;

/** What a job does with files: it reads blobs alone, or files and whom they belong to, or writes them with their owners. */
export type FileUse = 'blobs' | 'read' | 'write';

/** What this process may do with files of others, as bits; undefined where the kernel does not tell. */
export function fileCapabilities(): number | undefined {
  try {
    const capabilities = parseCapabilities(readFileSync('/proc/self/status', 'latin1'));
    if (capabilities === undefined) return undefined;
    const seesAll = ['uid_map', 'gid_map'].every((name) => hasAllOwners(mapText(`/proc/self/${name}`)));
    return seesAll ? capabilities | ALL_OWNERS : capabilities;
  } catch {
    return undefined;
  }
}

/** Where there are no user namespaces there is no map. */
function mapText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}

/**
 * Whether a user namespace has all users, or groups: in one that has not, files of the others are nobody's.
 *
 * Source: user_namespaces(7), `/proc/pid/uid_map`: lines of first number in it, first number outside, how many.
 */
export function hasAllOwners(map: string | undefined): boolean {
  if (map === undefined) return true;
  const counts = map.split('\n').map((line) => Number(line.trim().split(/\s+/)[2] ?? 0));
  return counts.reduce((sum, count) => sum + count, 0) >= OWNERS;
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
 * @returns for people, undefined: it may do all that the other one may
 */
export function lackingCapability(own: number, wanted: number, use: FileUse): string | undefined {
  const lacks = (...bits: number[]) => bits.some((bit) => wanted & bit) && !bits.some((bit) => own & bit);
  if (use !== 'blobs' && lacks(ALL_OWNERS))
    return 'see whom all files belong to (its user namespace lacks users or groups)';
  if (lacks(OVERRIDE, READ_SEARCH)) return 'read whatever belongs to others (CAP_DAC_OVERRIDE or CAP_DAC_READ_SEARCH)';
  if (use !== 'write') return undefined;
  if (lacks(OVERRIDE)) return 'write where others may not (CAP_DAC_OVERRIDE)';
  if (lacks(CHOWN)) return 'give files to others (CAP_CHOWN)';
  return lacks(OWNER) ? 'give modes and times to files of others (CAP_FOWNER)' : undefined;
}

/** Whether capabilities let a process use the files of everybody, whatever its groups are. */
export function mayUseAll(capabilities: number, use: FileUse): boolean {
  // In a user namespace they hold for the files of those alone whom it has.
  if (!(capabilities & ALL_OWNERS)) return false;
  return (capabilities & (use === 'write' ? OVERRIDE : OVERRIDE | READ_SEARCH)) !== 0;
}
