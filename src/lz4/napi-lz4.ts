import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import xxhash from 'xxhash-wasm';
import type { Lz4 } from '../format/envelope.js';

const { h32Raw } = await xxhash();
const DICTIONARY_BYTES = 65536;
const SIZE_PREFIX_BYTES = 4;

/** lz4-napi, where liblz4 is not installed: each block on its own, through a copy. Slower; valid for every reader. */
export function openNapiLz4(): Lz4 {
  const require = createRequire(import.meta.url);
  const napi = require('lz4-napi') as typeof import('lz4-napi');
  return {
    name: `lz4-napi ${versionOf(require.resolve('lz4-napi'))}`,
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

/** Version of the package that a file belongs to: the package does not export its own description. */
function versionOf(file: string): string {
  for (let at = dirname(file); at !== dirname(at); at = dirname(at)) {
    const description = join(at, 'package.json');
    if (existsSync(description)) return (JSON.parse(readFileSync(description, 'utf8')) as { version: string }).version;
  }
  return 'of unknown version';
}
