import { type Attributes, decodeAttributes, VATTR_RECORD_BYTES, writeAttributes } from './attributes.js';
import { decodeRecords } from './records.js';

/** Attributes as a record: how they are kept in the state and handed to threads. */
export function packAttributes(attributes: Attributes): Buffer {
  const record = Buffer.alloc(VATTR_RECORD_BYTES);
  writeAttributes(record, 0, attributes);
  return record;
}

export function unpackAttributes(record: Uint8Array): Attributes {
  return decodeAttributes(decodeRecords(record)[0].payload);
}
