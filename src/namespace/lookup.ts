import { ClfsError } from '../error.js';
import { isDot, isDotDot } from '../format/dirents.js';
import { ObjectType, ROOT_ID } from '../format/ids.js';
import { joinPath } from '../paths/join-path.js';
import { quotePath } from '../text/escape-path.js';
import type { ContainerReader, FoundInode } from './reader.js';

/** A path resolved to its inode. */
export interface LookedUp {
  readonly found: FoundInode;
  /** Normalized: components joined by `/`, without a leading one; empty for the root. */
  readonly path: Buffer;
  readonly parent: Uint8Array;
}

/**
 * Resolves a path from the root, component by component; symlinks are not followed.
 *
 * @throws ClfsError `not-found` naming the component that is missing; `format` when something on the way is damaged
 */
export async function lookUp(reader: ContainerReader, path: Uint8Array): Promise<LookedUp> {
  let found = await reader.inode(ROOT_ID);
  let parent: Uint8Array = ROOT_ID;
  const walked: Uint8Array[] = [];
  for (const component of components(path)) {
    if (found.inode.attributes.type !== ObjectType.directory)
      throw notThere(walked, component, 'it is not in a directory');
    const handle = await findEntry(reader, found, component);
    if (!handle) throw notThere(walked, component, 'there is no such entry');
    parent = found.id;
    found = await reader.inode(handle);
    walked.push(component);
  }
  return { found, path: joined(walked), parent };
}

async function findEntry(
  reader: ContainerReader,
  directory: FoundInode,
  name: Uint8Array,
): Promise<Uint8Array | undefined> {
  for await (const piece of reader.entries(directory)) {
    for (const entry of piece) if (Buffer.compare(entry.name, name) === 0) return entry.handle;
  }
  return undefined;
}

function* components(path: Uint8Array): Generator<Uint8Array> {
  const bytes = Buffer.from(path.buffer, path.byteOffset, path.byteLength);
  for (let at = 0; at <= bytes.length; ) {
    const slash = bytes.indexOf(0x2f, at);
    const end = slash < 0 ? bytes.length : slash;
    const component = bytes.subarray(at, end);
    if (isDotDot(component))
      throw new ClfsError(
        'usage',
        `The path ${quotePath(bytes)} holds "..": name the entry from the root of the container.`,
      );
    if (component.length > 0 && !isDot(component)) yield component;
    at = end + 1;
  }
}

function joined(parts: readonly Uint8Array[]): Buffer {
  return parts.reduce<Buffer>(joinPath, Buffer.alloc(0));
}

function notThere(walked: readonly Uint8Array[], component: Uint8Array, why: string): ClfsError {
  return new ClfsError(
    'not-found',
    `Cannot find ${quotePath(joined([...walked, component]))} in the container: ${why}.`,
  );
}
