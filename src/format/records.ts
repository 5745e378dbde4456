import { ClfsError } from '../error.js';

/** Record types. Source: docs/format.md 5 */
export const RecordType = {
  data: 2,
  dirents: 3,
  vattr: 4,
  bmap: 5,
  indir: 7,
  back: 9,
  databack: 10,
  extattrs: 12,
  name: 16,
} as const;

/** Bytes of a record's header. */
export const RECORD_HEADER_BYTES = 20;
const MAGIC = 0x03016005;
const KNOWN_TYPES = new Set([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);

/** One record: a type and its payload, a view into the object. */
export interface RawRecord {
  readonly type: number;
  readonly payload: Buffer;
}

/** Length of a record with `payloadBytes` of payload: header and payload, rounded up to a multiple of 8. */
export function recordBytes(payloadBytes: number): number {
  return (RECORD_HEADER_BYTES + payloadBytes + 7) & ~7;
}

/**
 * Writes a record's header at `at`, and the padding behind a payload of `payloadBytes` that the caller places.
 *
 * @returns offset behind the record
 */
export function writeRecordFrame(target: Buffer, at: number, type: number, payloadBytes: number): number {
  const length = recordBytes(payloadBytes);
  target.writeUInt32LE(MAGIC, at);
  target.writeUInt32LE(length, at + 4);
  target.writeUInt32LE(payloadBytes, at + 8);
  target.writeUInt32LE(type, at + 12);
  target.writeUInt32LE(0, at + 16);
  const end = at + length;
  for (let i = at + RECORD_HEADER_BYTES + payloadBytes; i < end; i++) target[i] = 0;
  return end;
}

/** A whole record around a payload. */
export function encodeRecord(type: number, payload: Uint8Array): Buffer {
  const record = Buffer.allocUnsafe(recordBytes(payload.length));
  record.set(payload, RECORD_HEADER_BYTES);
  writeRecordFrame(record, 0, type, payload.length);
  return record;
}

/**
 * Splits an object's body into its records. The payloads are views, nothing is copied.
 *
 * @throws ClfsError `format` when the body is not a sequence of whole records
 * Source: docs/format.md 5
 */
export function decodeRecords(body: Uint8Array): readonly RawRecord[] {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const records: RawRecord[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes.length - at < RECORD_HEADER_BYTES)
      throw new ClfsError('format', `Trailing bytes at offset ${at}: no room for a record header.`);
    if (bytes.readUInt32LE(at) !== MAGIC) throw new ClfsError('format', `No record magic at offset ${at}.`);
    const length = bytes.readUInt32LE(at + 4);
    const payloadBytes = bytes.readUInt32LE(at + 8);
    const type = bytes.readUInt32LE(at + 12);
    if (length > bytes.length - at)
      throw new ClfsError('format', `The record at offset ${at} is longer (${length} bytes) than its object.`);
    if (length !== Math.ceil((RECORD_HEADER_BYTES + payloadBytes) / 8) * 8) {
      throw new ClfsError(
        'format',
        `The record at offset ${at} has length ${length} for a payload of ${payloadBytes} bytes.`,
      );
    }
    if (bytes.readUInt32LE(at + 16) !== 0)
      throw new ClfsError('format', `The record at offset ${at} has a header word that is not 0.`);
    if (!KNOWN_TYPES.has(type))
      throw new ClfsError('format', `The record at offset ${at} has the unknown type ${type}.`);
    const start = at + RECORD_HEADER_BYTES;
    for (let i = start + payloadBytes; i < at + length; i++) {
      if (bytes[i] !== 0) throw new ClfsError('format', `The record at offset ${at} has padding that is not zero.`);
    }
    records.push({ type, payload: bytes.subarray(start, start + payloadBytes) });
    at += length;
  }
  return records;
}

/** Reads a payload's fields in order, every length checked against what is there. */
export class PayloadReader {
  readonly #bytes: Buffer;
  readonly #what: string;
  #at = 0;

  constructor(bytes: Buffer, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#bytes[this.#take(1)];
  }

  u16(): number {
    return this.#bytes.readUInt16LE(this.#take(2));
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  u64(): bigint {
    return this.#bytes.readBigUInt64LE(this.#take(8));
  }

  /** A view of the next `length` bytes. */
  bytes(length: number): Buffer {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** An id field: u16 length and that many bytes. Source: docs/format.md 6 */
  id(): Buffer {
    return this.bytes(this.u16());
  }

  /** A u32 count whose elements take at least `elementBytes` each, so that it cannot lie beyond the payload. */
  count(elementBytes: number): number {
    const count = this.u32();
    if (count * elementBytes > this.remaining) this.#fail(`a count of ${count} does not fit`);
    return count;
  }

  /** @throws ClfsError `format` when bytes are left */
  end(): void {
    if (this.remaining !== 0) this.#fail(`${this.remaining} bytes too many`);
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.#bytes.length - at) this.#fail('it ends early');
    this.#at = at + length;
    return at;
  }

  #fail(problem: string): never {
    throw new ClfsError('format', `Malformed ${this.#what} record: ${problem}.`);
  }
}

/** Writes an id field at `at` and returns the offset behind it. */
export function writeId(target: Buffer, at: number, id: Uint8Array): number {
  target.writeUInt16LE(id.length, at);
  target.set(id, at + 2);
  return at + 2 + id.length;
}
