import { hex32 } from '../format/hash.js';
import { BLOCK_ID_BYTES, HANDLE_BYTES } from '../format/ids.js';
import { encodeObjectNameHashed, encodeObjectNameV1, type ParsedName } from '../format/names.js';
import { counts, type ObjectBlob } from './object-blob.js';

/**
 * A record says all of an object's blob in 48 bytes, as twelve words of 32 bits in the order of the machine: its name
 * is a function of it.
 *
 * | word | holds |
 * |---|---|
 * | 0–5 | the id: of a handle the sequence number first, the high word before the low one, so that the entries of a
 * directory lie together |
 * | 6 | bytes of the id, name version, object type: 8 bits each from bit 16 down |
 * | 7, 8 | hash of the owner |
 * | 9, 10 | low words of the version and of the length |
 * | 11 | high bits of both: 8 of the version, above them 21 of the length |
 */
export const RECORD_WORDS = 12;
export const RECORD_BYTES = 4 * RECORD_WORDS;
/** Words of a record that say its id, of {@link readIdWords} likewise. */
export const ID_WORDS = 7;

const WORD = 0x1_0000_0000;
const HANDLE_ORDER = [12, 8, 0, 4, 16, 20];
const BLOCK_ORDER = [0, 4, 8, 12];

/**
 * Writes what is looked for into the first words of a record.
 *
 * @returns false when no object can have such an id: it has another length
 */
export function writeId(words: Uint32Array, at: number, id: Uint8Array): boolean {
  const order = id.length === HANDLE_BYTES ? HANDLE_ORDER : BLOCK_ORDER;
  if (id.length !== HANDLE_BYTES && id.length !== BLOCK_ID_BYTES) return false;
  words[at + 4] = 0;
  words[at + 5] = 0;
  for (let i = 0; i < order.length; i++) {
    const p = order[i];
    words[at + i] = id[p] | (id[p + 1] << 8) | (id[p + 2] << 16) | (id[p + 3] << 24);
  }
  words[at + 6] = id.length << 16;
  return true;
}

/** Writes a record. */
export function writeRecord(words: Uint32Array, at: number, key: ParsedName, sizeBytes: number): void {
  writeId(words, at, key.id);
  words[at + 6] |= (key.nameVersion << 8) | key.type;
  words[at + 7] = Number.parseInt(key.ownerHash.slice(0, 8) || '0', 16);
  words[at + 8] = Number.parseInt(key.ownerHash.slice(8) || '0', 16);
  words[at + 9] = key.version % WORD;
  words[at + 10] = sizeBytes % WORD;
  words[at + 11] = Math.floor(key.version / WORD) | (Math.floor(sizeBytes / WORD) << 8);
}

/** The blob that a record says. */
export function readRecord(words: Uint32Array, at: number): ObjectBlob {
  const kind = words[at + 6];
  const nameVersion = ((kind >>> 8) & 0xff) === 1 ? 1 : 2;
  const key: ParsedName = {
    nameVersion,
    id: readId(words, at),
    type: kind & 0xff,
    ownerHash: nameVersion === 1 ? '' : hex32(words[at + 7]) + hex32(words[at + 8]),
    version: words[at + 9] + (words[at + 11] & 0xff) * WORD,
  };
  return new RecordedBlob(key, words[at + 10] + (words[at + 11] >>> 8) * WORD);
}

/** Negative when the id of the first record comes before that of the second, 0 when it is the same. */
export function compareIds(first: Uint32Array, at: number, second: Uint32Array, secondAt: number): number {
  for (let i = 0; i < ID_WORDS - 1; i++) {
    const difference = first[at + i] - second[secondAt + i];
    if (difference !== 0) return difference;
  }
  return (first[at + 6] >>> 16) - (second[secondAt + 6] >>> 16);
}

/** The order of records: by id, of one id the blob that counts first. */
export function compareRecords(first: Uint32Array, at: number, second: Uint32Array, secondAt: number): number {
  const ids = compareIds(first, at, second, secondAt);
  if (ids !== 0) return ids;
  return counts(readRecord(first, at), readRecord(second, secondAt)) ? -1 : 1;
}

function readId(words: Uint32Array, at: number): Buffer {
  const id = Buffer.allocUnsafe(words[at + 6] >>> 16);
  const order = id.length === HANDLE_BYTES ? HANDLE_ORDER : BLOCK_ORDER;
  for (let i = 0; i < order.length; i++) {
    const word = words[at + i];
    const p = order[i];
    id[p] = word;
    id[p + 1] = word >>> 8;
    id[p + 2] = word >>> 16;
    id[p + 3] = word >>> 24;
  }
  return id;
}

/** A blob whose name is made when it is asked for. */
class RecordedBlob implements ObjectBlob {
  readonly key: ParsedName;
  readonly sizeBytes: number;

  constructor(key: ParsedName, sizeBytes: number) {
    this.key = key;
    this.sizeBytes = sizeBytes;
  }

  get name(): string {
    const { nameVersion, id, type, ownerHash, version } = this.key;
    return nameVersion === 1 ? encodeObjectNameV1(id, version) : encodeObjectNameHashed(id, type, ownerHash, version);
  }
}
