import { ftruncateSync, writeSync } from 'node:fs';
import { fileSize, readContent } from '../namespace/content.js';
import type { ContainerReader, FoundInode } from '../namespace/reader.js';
import { close, Open, openAt, removeAt } from '../posix/libc.js';

const CREATE_FLAGS = Open.writeOnly | Open.create | Open.exclusive | Open.noFollow;
const PRIVATE_FILE = 0o600;
/** Zeros that are worth a hole. */
const HOLE_BYTES = 65536;
const ZEROS = Buffer.alloc(HOLE_BYTES);

/** Writes the content of a regular file that is not there yet; nothing of it stays when it cannot be read whole. */
export async function writeFile(
  reader: ContainerReader,
  found: FoundInode,
  at: number,
  name: Buffer,
  sparse: boolean,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const fd = openAt(at, name, CREATE_FLAGS, PRIVATE_FILE);
  let complete = false;
  try {
    let position = 0;
    for await (const piece of readContent(reader, found)) {
      if (sparse) writeSparsely(fd, piece, position);
      else writeWhole(fd, piece, position);
      position += piece.length;
      onBytes(piece.length);
    }
    if (sparse) ftruncateSync(fd, fileSize(found));
    complete = true;
  } finally {
    close(fd);
    if (!complete) removeAt(at, name);
  }
}

function writeSparsely(fd: number, piece: Buffer, position: number): void {
  for (let from = 0; from < piece.length; from += HOLE_BYTES) {
    const part = piece.subarray(from, from + HOLE_BYTES);
    if (!part.equals(ZEROS.subarray(0, part.length))) writeWhole(fd, part, position + from);
  }
}

function writeWhole(fd: number, bytes: Buffer, position: number): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, position + at);
}
