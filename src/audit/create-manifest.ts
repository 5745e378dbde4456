import { createHash } from 'node:crypto';
import type { ClfsError } from '../error.js';
import { idHex, ObjectType } from '../format/ids.js';
import { readContent } from '../namespace/content.js';
import type { ContainerReader, FoundInode } from '../namespace/reader.js';
import { walk } from '../namespace/walk.js';
import type { ManifestEntry } from './manifest.js';

/** A line of a manifest, or an entry that could not be read. */
export type ManifestItem =
  | { readonly entry: ManifestEntry; readonly path?: undefined; readonly error?: undefined }
  | { readonly path: Buffer; readonly error: ClfsError; readonly entry?: undefined };

/**
 * Goes over a container's tree and says what is in it.
 *
 * @param hash read the content of every regular file for its SHA-256
 */
export async function* createManifest(reader: ContainerReader, hash: boolean): AsyncGenerator<ManifestItem> {
  for await (const { path, found, error } of walk(reader)) {
    if (!found) {
      yield { path, error: error as ClfsError };
      continue;
    }
    yield { entry: await toEntry(reader, path, found, hash) };
  }
}

async function toEntry(reader: ContainerReader, path: Buffer, found: FoundInode, hash: boolean): Promise<ManifestEntry> {
  const a = found.inode.attributes;
  const regular = a.type === ObjectType.regular;
  return {
    path: path.length === 0 ? Buffer.from('.') : path,
    type: a.type,
    mode: a.mode,
    uid: a.uid,
    gid: a.gid,
    sizeBytes: regular ? a.lengthBytes : BigInt(found.inode.data?.length ?? 0),
    deviceMajor: a.deviceMajor,
    deviceMinor: a.deviceMinor,
    mtimeNs: BigInt(a.mtime.seconds) * 1_000_000_000n + BigInt(a.mtime.nanoseconds),
    linkCount: a.linkCount,
    linkGroup: a.type !== ObjectType.directory && a.linkCount > 1 ? idHex(found.id) : undefined,
    target: a.type === ObjectType.symlink ? found.inode.data : undefined,
    sha256: regular && hash ? await contentHash(reader, found) : undefined,
  };
}

async function contentHash(reader: ContainerReader, found: FoundInode): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of readContent(reader, found)) hash.update(piece);
  return hash.digest('hex');
}
