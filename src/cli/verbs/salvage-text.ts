import { counted, type SalvageCounts } from '../../index.js';

/** What a salvage has found, as a line for people. */
export function salvageText({
  inodes,
  unlisted,
  rebuilt,
  partial,
  incomplete,
  versions,
  unreadable,
}: SalvageCounts): string {
  return `Salvage: ${[
    `${counted(inodes, 'inodes')} can be read; ${counted(unlisted, 'inodes')} that no directory lists`,
    `${counted(rebuilt, 'directories')} put together from what belongs to them`,
    `${partial} of which entries are missing`,
    `${counted(incomplete, 'incomplete files')} (NAME.~incomplete~)`,
    `${counted(versions, 'superseded versions')} (NAME.~version-N~)`,
    `${counted(unreadable, 'inodes')} that cannot be read`,
  ].join(', ')}`;
}

/** Whether something was there to be brought back, and no part of it is known to be missing. */
export function isSalvagedWhole({ inodes, partial, incomplete, unreadable }: SalvageCounts): boolean {
  return inodes > 0 && partial + incomplete + unreadable === 0;
}
