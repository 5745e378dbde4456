import { ClfsError, isClfsError } from '../error.js';
import { idHex, ObjectType } from '../format/ids.js';
import { fileSize, readContent } from '../namespace/content.js';
import type { ContainerReader, FoundInode } from '../namespace/reader.js';
import { walk } from '../namespace/walk.js';
import type { ExportOptions, ExportSummary } from './export-tree.js';
import { encodeTarHeader, isTarType, TAR_BLOCK_BYTES, tarPadding } from './tar-header.js';

/** A pipe that is filled in whole blocks of this many bytes is what tape tools expect. */
const RECORD_BYTES = 20 * TAR_BLOCK_BYTES;

/**
 * Writes the tree below `start` as a POSIX tar.
 *
 * A file of which only a part can be read is filled up with zeros, and reported: a tar says the length before the bytes.
 *
 * @param write takes the next bytes of the tar
 * @throws whatever `write` throws, and the container beside `format` and `not-found`
 */
export async function exportTar(
  reader: ContainerReader,
  start: FoundInode,
  write: (bytes: Uint8Array) => Promise<void>,
  options: Pick<ExportOptions, 'signal' | 'onProgress' | 'onFailure'>,
): Promise<ExportSummary> {
  const summary = { written: 0, skipped: 0, failed: 0, bytes: 0 };
  const linked = new Map<string, Buffer>();
  let length = 0;
  const put = async (bytes: Uint8Array) => {
    length += bytes.length;
    await write(bytes);
  };
  const fail = (path: Buffer, error: Error) => {
    summary.failed++;
    options.onFailure(path, error);
  };
  for await (const { path, found, error } of walk(reader, start.id)) {
    options.signal?.throwIfAborted();
    if (!found) {
      fail(path, error ?? new ClfsError('format', 'it cannot be read'));
      continue;
    }
    const { attributes, data } = found.inode;
    const shown = path.length === 0 ? Buffer.from('.') : path;
    if (!isTarType(attributes.type)) {
      fail(path, new ClfsError('usage', 'a tar has no sockets'));
      continue;
    }
    const first = attributes.type !== ObjectType.directory && attributes.linkCount > 1 ? linked.get(idHex(found.id)) : undefined;
    if (first) await put(encodeTarHeader({ path: shown, attributes, sizeBytes: 0, linkTarget: first, isHardLink: true }));
    else {
      linked.set(idHex(found.id), shown);
      const sizeBytes = attributes.type === ObjectType.regular ? sizeOf(found) : 0;
      if (sizeBytes === undefined) {
        fail(path, new ClfsError('format', 'its length cannot be that of a file'));
        continue;
      }
      await put(
        encodeTarHeader({ path: shown, attributes, sizeBytes, linkTarget: attributes.type === ObjectType.symlink ? data : undefined, isHardLink: false }),
      );
      if (sizeBytes > 0) await putContent(reader, found, sizeBytes, put, (problem) => fail(path, problem));
      summary.bytes += sizeBytes;
    }
    summary.written++;
    options.onProgress?.(summary.written, summary.bytes);
  }
  await put(Buffer.alloc(2 * TAR_BLOCK_BYTES));
  await put(Buffer.alloc((RECORD_BYTES - (length % RECORD_BYTES)) % RECORD_BYTES));
  return summary;
}

function sizeOf(found: FoundInode): number | undefined {
  try {
    return fileSize(found);
  } catch (error) {
    if (isClfsError(error, 'format')) return undefined;
    throw error;
  }
}

async function putContent(
  reader: ContainerReader,
  found: FoundInode,
  sizeBytes: number,
  put: (bytes: Uint8Array) => Promise<void>,
  fail: (problem: Error) => void,
): Promise<void> {
  let written = 0;
  try {
    for await (const piece of readContent(reader, found)) {
      await put(piece);
      written += piece.length;
    }
  } catch (error) {
    if (!isClfsError(error, 'format', 'not-found')) throw error;
    fail(error);
  }
  const zeros = Buffer.alloc(65536);
  for (; written < sizeBytes; written += Math.min(zeros.length, sizeBytes - written)) await put(zeros.subarray(0, Math.min(zeros.length, sizeBytes - written)));
  await put(tarPadding(sizeBytes));
}
