import { fnv1, hash64Hex, hex32, writeHash64, writeHex } from './hash.js';
import { BUCKET_ID, HANDLE_BYTES, idHex, ObjectType } from './ids.js';

/** Version of an object when it is first written. Source: docs/format.md 3.2 */
export const FIRST_VERSION = 9;

/** What a version-2 name says. */
export interface ObjectKey {
  readonly id: Uint8Array;
  readonly type: number;
  readonly owner: Uint8Array;
  /** {@link FIRST_VERSION} when first written. */
  readonly version: number;
}

/**
 * Name of an object in its container, in name version 2.
 *
 * @returns ASCII: 97 characters for a 16-byte id, 113 for a 24-byte file handle
 * Source: docs/format.md 3.2
 */
export function encodeObjectName(key: ObjectKey): string {
  return encodeObjectNameHashed(key.id, key.type, hash64Hex(key.owner), key.version);
}

/** {@link encodeObjectName} with the owner's hash given: one hash for all the entries of a directory. */
export function encodeObjectNameHashed(id: Uint8Array, type: number, ownerHash: string, version: number): string {
  const tail = version === FIRST_VERSION ? '00000000009' : String(version).padStart(11, '0');
  return `${objectNamePrefix(id)}${type < 10 ? `000${type}` : `00${type}`}.${ownerHash}.${tail}.FFFFFFFF.0002`;
}

/** Prefix that every name of an id begins with, whatever its version, type and owner. */
export function objectNamePrefix(id: Uint8Array): string {
  // A damaged container may hold an id of any length.
  if (id.length > HANDLE_BYTES) return `${hash64Hex(id)}_${idHex(id)}.`;
  let at = writeHash64(prefix, 0, id);
  prefix[at++] = UNDERSCORE;
  at = writeHex(prefix, at, id);
  prefix[at++] = DOT;
  return prefix.toString('latin1', 0, at);
}

/** Room for the prefix of a name whose id is a file handle. */
const prefix = Buffer.alloc(18 + 2 * HANDLE_BYTES);
const UNDERSCORE = 0x5f;
const DOT = 0x2e;

/** Name of an object in name version 1. Source: docs/format.md 3.3 */
export function encodeObjectNameV1(id: Uint8Array, version: number): string {
  return `${hex32(fnv1(id))}_${idHex(id)}.${String(version).padStart(11, '0')}.FFFFFFFF.0001`;
}

/** The bucket object's one name. */
export const BUCKET_NAME = encodeObjectNameV1(BUCKET_ID, FIRST_VERSION);

/** A name of version 2, whatever is in its fields. */
const SHAPE_V2 =
  /^[0-9A-F]{16}_(?:[0-9A-F]{32}|[0-9A-F]{48})\.00(0[1-9]|1[0-2])\.[0-9A-F]{16}\.\d{11}\.FFFFFFFF\.0002$/;

/**
 * Object type that a name of version 2 says; undefined for all other names.
 *
 * Looks at the shape alone: for listings of many millions, which are compared by whole names.
 */
export function objectKindOf(name: string): number | undefined {
  const shape = SHAPE_V2.exec(name);
  return shape ? Number(shape[1]) : undefined;
}

/** A name taken apart. */
export interface ParsedName {
  readonly nameVersion: 1 | 2;
  readonly id: Buffer;
  /** 0 in name version 1, which has none. */
  readonly type: number;
  /** HASH64 of the owner's id, upper case; empty in name version 1. */
  readonly ownerHash: string;
  readonly version: number;
}

const NAME_V2 = /^([0-9A-F]{16})_([0-9A-F]{32}|[0-9A-F]{48})\.(\d{4})\.([0-9A-F]{16})\.(\d{11})\.FFFFFFFF\.0002$/;
const NAME_V1 = /^([0-9A-F]{8})_([0-9A-F]{32}|[0-9A-F]{48})\.(\d{11})\.FFFFFFFF\.0001$/;

/**
 * Takes a blob's name apart.
 *
 * @returns undefined for what is not an object's name: log files, `tmp…`, a name whose hash is not its id's
 * Source: docs/format.md 3.2, 3.3, 3.4
 */
export function decodeObjectName(name: string): ParsedName | undefined {
  const v2 = NAME_V2.exec(name);
  if (v2) {
    const id = Buffer.from(v2[2], 'hex');
    const type = Number(v2[3]);
    if (hash64Hex(id) !== v2[1] || type < ObjectType.regular || type > ObjectType.hardLink) return undefined;
    return { nameVersion: 2, id, type, ownerHash: v2[4], version: Number(v2[5]) };
  }
  const v1 = NAME_V1.exec(name);
  if (!v1) return undefined;
  const id = Buffer.from(v1[2], 'hex');
  if (hex32(fnv1(id)) !== v1[1]) return undefined;
  return { nameVersion: 1, id, type: 0, ownerHash: '', version: Number(v1[3]) };
}
