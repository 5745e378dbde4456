import { ftruncateSync, writeSync } from 'node:fs';
import { fileSize, readContent } from '../namespace/content.js';
import type { ContainerReader, FoundInode } from '../namespace/reader.js';
import { patiently } from '../posix/descriptors.js';
import { close, closeWritten, Open, openAt, PosixError, removeAt, toPosixError } from '../posix/libc.js';

const CREATE_FLAGS = Open.writeOnly | Open.create | Open.exclusive | Open.noFollow;
const PRIVATE_FILE = 0o600;
/** Zeros that are worth a hole. */
const HOLE_BYTES = 65536;
const ZEROS = Buffer.alloc(HOLE_BYTES);

/**
 * Writes the content of a regular file that is not there yet; nothing of it stays when it cannot be read or written whole.
 *
 * @throws PosixError, also when the disk is full; what {@link readContent} throws
 */
export async function writeFile(
  reader: ContainerReader,
  found: FoundInode,
  at: number,
  name: Buffer,
  sparse: boolean,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const fd = await patiently(name, () => openAt(at, name, CREATE_FLAGS, PRIVATE_FILE));
  let open = true;
  let complete = false;
  try {
    let position = 0;
    for await (const piece of readContent(reader, found)) {
      if (sparse) writeSparsely(fd, piece, position);
      else writeWhole(fd, piece, position);
      position += piece.length;
      onBytes(piece.length);
    }
    if (sparse) lengthen(fd, fileSize(found));
    open = false;
    closeWritten(fd);
    complete = true;
  } finally {
    if (open) close(fd);
    if (!complete) removeQuietly(at, name);
  }
}

/** What went wrong before is what is told. */
function removeQuietly(at: number, name: Buffer): void {
  try {
    removeAt(at, name);
  } catch (error) {
    if (!(error instanceof PosixError)) throw error;
  }
}

function writeSparsely(fd: number, piece: Buffer, position: number): void {
  for (let from = 0; from < piece.length; from += HOLE_BYTES) {
    const part = piece.subarray(from, from + HOLE_BYTES);
    if (!part.equals(ZEROS.subarray(0, part.length))) writeWhole(fd, part, position + from);
  }
}

/** A disk that gets full takes a part: what is left is tried again, and then fails. */
function writeWhole(fd: number, bytes: Buffer, position: number): void {
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, position + at);
  } catch (error) {
    throw toPosixError('write', error);
  }
}

function lengthen(fd: number, sizeBytes: number): void {
  try {
    ftruncateSync(fd, sizeBytes);
  } catch (error) {
    throw toPosixError('truncate', error);
  }
}
