import type { Asker } from '../engine/asker.js';
import { sideBySide } from '../namespace/side-by-side.js';
import { joinPath } from '../paths/join-path.js';
import { quotePath } from '../text/escape-path.js';
import { LARGE_BYTES } from './tasks/compare-content.js';
import type { AuditKinds, RangeResult } from './tasks/kinds.js';

/** How much of a lane a part of a large file takes, and parts of one file for each lane that are compared at once. */
const RANGE_UNITS = 512;
const RANGES_A_LANE = 4;

/** A large file whose content is to be compared. */
export interface LargeContent {
  /** Of its directory. */
  readonly path: Buffer;
  readonly name: Buffer;
  readonly handle: Buffer;
  readonly sizeBytes: number;
  /** Sum of the whole; undefined where it is compared byte by byte. */
  readonly sha256: string | undefined;
}

/**
 * Compares the content of a large file, part by part; one that is known by its sum as a whole.
 *
 * @param told called with the bytes of each part that has been compared
 * @returns of the first part that is not the same
 */
export async function compareLarge(
  crew: Asker<AuditKinds>,
  { path, name, handle, sizeBytes, sha256 }: LargeContent,
  told: (bytes: number) => void,
): Promise<RangeResult | undefined> {
  // The first one counts: those before it have been begun before it, and are waited for.
  let first: { readonly firstByte: number; readonly result: RangeResult } | undefined;
  const step = sha256 === undefined ? LARGE_BYTES : sizeBytes;
  const isDecided = () => first !== undefined;
  function* starts(): Generator<number> {
    for (let at = 0; at < sizeBytes && !isDecided(); at += step) yield at;
  }
  await sideBySide(starts(), crew.lanes * RANGES_A_LANE, async (firstByte) => {
    const endByte = Math.min(sizeBytes, firstByte + step);
    const task = { path, name, handle, firstByte, endByte, isLast: endByte === sizeBytes, sha256 };
    const result = await crew.ask('range', task, RANGE_UNITS, {
      subject: () => quotePath(joinPath(path, name)),
    });
    told(result.bytes);
    const isSame = result.difference === undefined && result.unchecked === undefined;
    if (!isSame && (!first || firstByte < first.firstByte)) first = { firstByte, result };
  });
  return first?.result;
}
