import { PayloadReader } from './records.js';

/** The pairs of an EXTATTRS record. Their order has no meaning, but is kept. */
export type ExtendedAttributes = ReadonlyMap<string, string>;

/** The payload of an EXTATTRS record. Source: docs/format.md 6.8 */
export function encodeExtendedAttributes(pairs: ExtendedAttributes): Buffer {
  const parts: Buffer[] = [u32(pairs.size)];
  for (const [key, value] of pairs) {
    for (const text of [key, value]) {
      const bytes = Buffer.from(text, 'utf8');
      parts.push(u32(bytes.length), bytes);
    }
  }
  return Buffer.concat(parts);
}

/** @throws ClfsError `format` */
export function decodeExtendedAttributes(payload: Buffer): ExtendedAttributes {
  const r = new PayloadReader(payload, 'EXTATTRS');
  const pairs = new Map<string, string>();
  for (let left = r.count(8); left > 0; left--) {
    const key = r.bytes(r.u32()).toString('utf8');
    pairs.set(key, r.bytes(r.u32()).toString('utf8'));
  }
  r.end();
  return pairs;
}

function u32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32LE(value, 0);
  return bytes;
}
