import { type FileUse, mayUseAll } from './capabilities.js';

/** Groups of a process, by their numbers. */
export interface Groups {
  /** Whose the files are that it makes. */
  readonly gid?: number;
  /** Supplementary ones; they may name {@link Groups.gid} as well. */
  readonly groups?: readonly number[];
}

/** Those of this process. */
export function ownGroups(): Groups {
  return { gid: process.getegid?.(), groups: process.getgroups?.() };
}

/** What a worker tells of its rights that counts beside its groups. */
interface Rights extends Groups {
  /** As `fileCapabilities` has them; missing where they are not known. */
  readonly capabilities?: number;
}

/**
 * Why the groups of a worker do not suffice for what its driver does with files.
 *
 * @returns for people; undefined: they do, or one of both does not know its groups
 */
export function whyNotGroups(worker: Rights, driver: Groups, use: FileUse): string | undefined {
  const { gid, groups, capabilities } = worker;
  if (gid === undefined || groups === undefined || driver.gid === undefined) return undefined;
  if (use === 'write' && gid !== driver.gid)
    return `its group is ${gid}, the driver's ${driver.gid}: what an export makes would belong to another group; run both with the same one`;
  if (capabilities !== undefined && mayUseAll(capabilities, use)) return undefined;
  const has = new Set([gid, ...groups]);
  const lacking = [...new Set([driver.gid, ...(driver.groups ?? [])])].filter((group) => !has.has(group));
  if (lacking.length === 0) return undefined;
  const which = lacking.length === 1 ? 'group' : 'groups';
  const numbers = lacking.sort((one, other) => one - other).join(', ');
  return `it lacks ${which} ${numbers} of the driver: what that may use by them fails there; run it with the same groups`;
}
