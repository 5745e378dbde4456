/**
 * FNV-1 as the format uses it: starts at 0, 32 bits.
 *
 * Source: docs/format.md 3.1
 */
export function fnv1(bytes: Uint8Array): number {
  let hash = 0;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash, 0x01000193) ^ bytes[i];
  return hash >>> 0;
}

/**
 * MurmurHash2, 32 bits, with the format's seed.
 *
 * Source: docs/format.md 3.1
 */
export function murmur2(bytes: Uint8Array): number {
  const m = 0x5bd1e995;
  const length = bytes.length;
  let hash = 0x8c6749ad ^ length;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    let k = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    k = Math.imul(k, m);
    k ^= k >>> 24;
    hash = Math.imul(hash, m) ^ Math.imul(k, m);
  }
  if (at < length) {
    let tail = 0;
    for (let i = length - 1; i >= at; i--) tail = (tail << 8) | bytes[i];
    hash = Math.imul(hash ^ tail, m);
  }
  hash = Math.imul(hash ^ (hash >>> 13), m);
  return (hash ^ (hash >>> 15)) >>> 0;
}

/** `fnv1` and `murmur2` of an id as 16 upper-case hex digits. */
export function hash64Hex(id: Uint8Array): string {
  return digits.toString('latin1', 0, writeHash64(digits, 0, id));
}

/** 8 upper-case hex digits of a u32. */
export function hex32(value: number): string {
  return digits.toString('latin1', 0, writeHex32(digits, 0, value));
}

/** Writes what {@link hash64Hex} returns, as ASCII, and returns the offset behind it. */
export function writeHash64(target: Buffer, at: number, id: Uint8Array): number {
  return writeHex32(target, writeHex32(target, at, fnv1(id)), murmur2(id));
}

/** Writes bytes as upper-case hex digits, as ASCII, and returns the offset behind them. */
export function writeHex(target: Buffer, at: number, bytes: Uint8Array): number {
  let p = at;
  for (let i = 0; i < bytes.length; i++) {
    target[p++] = HEX_DIGITS[bytes[i] >> 4];
    target[p++] = HEX_DIGITS[bytes[i] & 15];
  }
  return p;
}

function writeHex32(target: Buffer, at: number, value: number): number {
  let p = at;
  for (let shift = 28; shift >= 0; shift -= 4) target[p++] = HEX_DIGITS[(value >>> shift) & 15];
  return p;
}

const HEX_DIGITS = Buffer.from('0123456789ABCDEF');
const digits = Buffer.alloc(16);
