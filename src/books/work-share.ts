/**
 * Work for an entry beside its bytes, expressed in bytes: so that a share moves evenly over small and large files.
 */
const ENTRY_COST_BYTES = 65536;
/** More than this is said of no work that has not come to its end. */
export const MOST_PERMILLE = 999;

/** So many entries, and bytes of them, as one amount of work, in bytes. */
function workOf(entries: number, bytes: number): number {
  return entries * ENTRY_COST_BYTES + bytes;
}

/** How far some work has come. */
export interface WorkDone {
  readonly done: number;
  readonly total: number;
  /** Of any kind, the same as that of the total. Default: none. */
  readonly bytes?: number;
  readonly bytesTotal?: number;
}

/** The share of work that is done, by entries and bytes: thousandths, 0 to 999, since the end has not come yet. */
export function sharePermille({ done, total, bytes = 0, bytesTotal = bytes }: WorkDone): number {
  const share = workOf(done, bytes) / Math.max(1, workOf(total, bytesTotal));
  return Math.min(MOST_PERMILLE, Math.max(0, Math.floor(1000 * share)));
}
