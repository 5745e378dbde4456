import type { ExportRecord } from './state/export-record.js';

const SALVAGE_PREFIX = 'salvage:';

/** Name of the root that is recorded of a salvage, whose root is not one of the container. */
export function salvageRootName(listingHash: string): string {
  return `${SALVAGE_PREFIX}${listingHash}`;
}

/** Whether a recorded export, or one that is wished, is a salvage. */
export function isSalvage({ rootName }: Pick<ExportRecord, 'rootName'>): boolean {
  return rootName.startsWith(SALVAGE_PREFIX);
}
