import { hash64Hex } from '../format/hash.js';
import { NOT_FINAL_OWNER } from '../format/ids.js';
import type { ParsedName } from '../format/names.js';

/** One blob that is an object's version. */
export interface ObjectBlob {
  readonly name: string;
  readonly sizeBytes: number;
  readonly key: ParsedName;
}

const NOT_FINAL_HASH = hash64Hex(NOT_FINAL_OWNER);

/**
 * Of two blobs of one id, whether the first counts: the higher version; among equal ones the one that is final.
 *
 * Source: docs/format.md 3.4
 */
export function counts(first: ObjectBlob, second: ObjectBlob): boolean {
  if (first.key.version !== second.key.version) return first.key.version > second.key.version;
  const firstFinal = first.key.ownerHash !== NOT_FINAL_HASH;
  const secondFinal = second.key.ownerHash !== NOT_FINAL_HASH;
  if (firstFinal !== secondFinal) return firstFinal;
  return first.name > second.name;
}
