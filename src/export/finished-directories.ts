import { type Attributes, decodeAttributes, VATTR_RECORD_BYTES, writeAttributes } from '../format/attributes.js';
import { RECORD_HEADER_BYTES } from '../format/records.js';
import { SpilledStack } from '../spill/spilled-stack.js';

/** A directory that is filled, and gets its attributes at the end. */
export interface FinishedDirectory {
  readonly path: Buffer;
  readonly attributes: Attributes;
}

/** Directories that are filled, in bounded memory; the last one comes out first. To be closed. */
export function openFinishedDirectories(): SpilledStack<FinishedDirectory> {
  return new SpilledStack({
    encode({ path, attributes }) {
      const bytes = Buffer.alloc(VATTR_RECORD_BYTES + path.length);
      writeAttributes(bytes, 0, attributes);
      bytes.set(path, VATTR_RECORD_BYTES);
      return bytes;
    },
    decode: (bytes) => ({
      path: bytes.subarray(VATTR_RECORD_BYTES),
      attributes: decodeAttributes(bytes.subarray(RECORD_HEADER_BYTES, VATTR_RECORD_BYTES)),
    }),
  });
}
