import { createHash } from 'node:crypto';
import { LONGEST_NAME_BYTES } from '../format/limits.js';

/** Names that are tried by number before one is made of the id: many inodes may claim one name. */
const MOST_NUMBERS = 9;

/** A name with a mark behind it, `NAME.~MARK~`; the name is cut where there is no room for both. */
function markedName(name: Uint8Array, mark: string): Buffer {
  const tail = Buffer.from(`.~${mark}~`);
  return Buffer.concat([name.subarray(0, LONGEST_NAME_BYTES - tail.length), tail]);
}

/**
 * The first of `NAME`, `NAME.~2~` … `NAME.~9~` that is not taken, or else `NAME.~HASH OF THE ID~`; with a mark of
 * `NAME.~MARK~`, `NAME.~MARK-2~` and on.
 *
 * @param mark empty for none
 */
export function freeName(name: Uint8Array, mark: string, id: Uint8Array, isTaken: (name: Buffer) => boolean): Buffer {
  for (let number = 1; ; number++) {
    const parts = mark === '' ? [] : [mark];
    if (number > MOST_NUMBERS) parts.push(createHash('sha256').update(id).digest('hex').slice(0, 32));
    if (number > 1 && number !== MOST_NUMBERS + 1) parts.push(String(number));
    const candidate = parts.length === 0 ? Buffer.from(name) : markedName(name, parts.join('-'));
    if (!isTaken(candidate)) return candidate;
  }
}
