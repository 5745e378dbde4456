import xxhash from 'xxhash-wasm';
import type { Lz4 } from '../format/envelope.js';
import { koffi } from '../posix/koffi.js';

const { h32Raw } = await xxhash();
const DICTIONARY_BYTES = 65536;

/** Bound once a thread: a foreign function stays bound for good. */
const library = bind();

/**
 * The system's liblz4 through a foreign-function call: linked blocks, straight into the caller's buffer.
 *
 * @returns undefined where the library is not installed
 */
export function openLiblz4(): Lz4 | undefined {
  if (!library) return undefined;
  const { initStream, compress, decompress, sizeOfState, version } = library;
  // Not from Buffer's pool: liblz4 wants the state aligned.
  const stream = Buffer.from(new ArrayBuffer(sizeOfState() + 64));
  return {
    name: `liblz4 ${version}`,
    // A cleared state, not LZ4_resetStream_fast: its left-over table changes the bytes, and equal input shall give
    // equal output.
    startFrame() {
      initStream(stream, stream.length);
    },
    compressBlock: (source, target) => compress(stream, source, target, source.length, target.length, 1),
    decompressBlock(source, target, at, end) {
      const dictionaryBytes = Math.min(at, DICTIONARY_BYTES);
      const dictionary = target.subarray(at - dictionaryBytes, at);
      return decompress(source, target.subarray(at, end), source.length, end - at, dictionary, dictionaryBytes);
    },
    checksum: (bytes) => h32Raw(bytes, 0),
  };
}

function bind() {
  try {
    const lib = koffi.load('liblz4.so.1');
    return {
      initStream: lib.func('void *LZ4_initStream(void *stream, size_t size)'),
      compress: lib.func(
        'int LZ4_compress_fast_continue(void *stream, const void *source, void *target, int sourceSize, int targetSize, int acceleration)',
      ),
      decompress: lib.func(
        'int LZ4_decompress_safe_usingDict(const void *source, void *target, int sourceSize, int targetSize, const void *dictionary, int dictionarySize)',
      ),
      version: lib.func('const char *LZ4_versionString()')() as string,
      sizeOfState: lib.func('int LZ4_sizeofState()'),
    };
  } catch {
    return undefined;
  }
}
