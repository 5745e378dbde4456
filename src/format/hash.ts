/**
 * FNV-1 as the format uses it: starts at 0, 32 bits.
 *
 * Source: clfs-format.md 3.1
 */
export function fnv1(bytes: Uint8Array): number {
  let hash = 0;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash, 0x01000193) ^ bytes[i];
  return hash >>> 0;
}

/**
 * MurmurHash2, 32 bits, with the format's seed.
 *
 * Source: clfs-format.md 3.1
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
  return hex32(fnv1(id)) + hex32(murmur2(id));
}

/** 8 upper-case hex digits of a u32. */
export function hex32(value: number): string {
  return (value + 0x1_0000_0000).toString(16).slice(1).toUpperCase();
}
