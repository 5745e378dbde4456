import type { DirectoryEntry } from '../format/dirents.js';
import { SpilledMap } from '../spill/spilled-map.js';
import type { ContainerReader, FoundInode } from './reader.js';

const SERIAL_BYTES = 5;

/**
 * The entries of a directory, `.` and `..` included, sorted by the bytes of their names, in bounded memory.
 *
 * @param onDamage told why the rest of the directory could not be read: what was read before is given all the same
 * @throws whatever `onDamage` throws; ClfsError `temporary`
 */
export async function* sortedEntries(
  reader: ContainerReader,
  directory: FoundInode,
  onDamage: (error: unknown) => void,
): AsyncGenerator<DirectoryEntry> {
  const entries = new SpilledMap();
  try {
    let serial = 0;
    try {
      for await (const piece of reader.entries(directory))
        for (const { name, handle } of piece) entries.set(keyOf(name, serial++), Buffer.from(handle));
    } catch (error) {
      onDamage(error);
    }
    for (const [key, handle] of entries.entries()) yield { name: key.subarray(0, key.length - SERIAL_BYTES), handle };
  } finally {
    entries.close();
  }
}

/** A damaged directory may have a name twice. The zero keeps a name before those that begin with it. */
function keyOf(name: Uint8Array, serial: number): Buffer {
  const key = Buffer.alloc(name.length + SERIAL_BYTES);
  key.set(name);
  key.writeUInt32BE(serial, name.length + 1);
  return key;
}
