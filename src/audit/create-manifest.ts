import { createHash } from 'node:crypto';
import type { ClfsError } from '../error.js';
import { ObjectType } from '../format/ids.js';
import { type ManifestEntry, toManifestEntry } from '../manifest/manifest-entry.js';
import { readContent } from '../namespace/content.js';
import type { ContainerReader, FoundInode } from '../namespace/reader.js';
import { walk } from '../namespace/walk.js';

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

async function toEntry(
  reader: ContainerReader,
  path: Buffer,
  found: FoundInode,
  hash: boolean,
): Promise<ManifestEntry> {
  const { attributes, data } = found.inode;
  return toManifestEntry(path, attributes, {
    handle: found.id,
    target: attributes.type === ObjectType.symlink ? data : undefined,
    sha256: attributes.type === ObjectType.regular && hash ? await contentHash(reader, found) : undefined,
  });
}

async function contentHash(reader: ContainerReader, found: FoundInode): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of readContent(reader, found)) hash.update(piece);
  return hash.digest('hex');
}
