import { createRequire } from 'node:module';
import xxhash from 'xxhash-wasm';
import type { Lz4 } from '../format/envelope.js';

const { h32Raw } = await xxhash();
const DICTIONARY_BYTES = 65536;
const SIZE_PREFIX_BYTES = 4;

/** lz4-napi, where liblz4 is not installed: each block on its own, through a copy. Slower; valid for every reader. */
export function openNapiLz4(): Lz4 {
  const napi = createRequire(import.meta.url)('lz4-napi') as typeof import('lz4-napi');
  const { version } = createRequire(import.meta.url)('lz4-napi/package.json') as { version: string };
  return {
    name: `lz4-napi ${version}`,
    startFrame: () => undefined,
    compressBlock(source, target) {
      const block = napi.compressSync(source).subarray(SIZE_PREFIX_BYTES);
      if (block.length > target.length) return 0;
      target.set(block);
      return block.length;
    },
    decompressBlock(source, target, at, end) {
      const prefixed = Buffer.allocUnsafe(SIZE_PREFIX_BYTES + source.length);
      prefixed.writeUInt32LE(end - at, 0);
      prefixed.set(source, SIZE_PREFIX_BYTES);
      const dictionary = at > 0 ? target.subarray(Math.max(0, at - DICTIONARY_BYTES), at) : undefined;
      try {
        const block = napi.uncompressSync(prefixed, dictionary);
        if (block.length > end - at) return -1;
        target.set(block, at);
        return block.length;
      } catch {
        return -1;
      }
    },
    checksum: (bytes) => h32Raw(bytes, 0),
  };
}
