import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { ClfsError, messageOf } from '../error.js';
import { type EntryType, ObjectType } from '../format/ids.js';
import type { ManifestEntry } from '../manifest/manifest-entry.js';
import { entryFailure } from '../source/source-tree.js';
import { quotePath } from '../text/escape-path.js';
import { clampNs, type Expectation, type ExpectedEntry } from './expectation.js';

const TYPE_BY_MODE: Record<number, EntryType | undefined> = { 8: 1, 4: 2, 6: 3, 2: 4, 10: 5, 12: 6, 1: 7 };

/** Reads one line of a manifest. @throws ClfsError `usage` */
function parseManifestEntry(line: string, number: number): ManifestEntry {
  try {
    // Numbers of 19 digits are exact as strings only.
    const fields = JSON.parse(line.replace(/"(ino|size|[a-z]+_ns)": ?(-?\d+)/g, '"$1":"$2"')) as Record<string, string | number | undefined>;
    const mode = Number(fields.mode);
    const type = TYPE_BY_MODE[mode >> 12];
    if (type === undefined || typeof fields.path_hex !== 'string') throw new Error('it has no path_hex, or no mode with a type');
    const linkCount = Number(fields.nlink ?? 1);
    const device = type === ObjectType.block || type === ObjectType.char;
    const text = (key: string) => (fields[key] === undefined ? undefined : String(fields[key]));
    const target = text('target_hex');
    return {
      path: Buffer.from(fields.path_hex, 'hex'),
      type,
      mode,
      uid: Number(fields.uid),
      gid: Number(fields.gid),
      sizeBytes: BigInt(fields.size ?? 0),
      deviceMajor: device ? Number(fields.rdev_major) : 0,
      deviceMinor: device ? Number(fields.rdev_minor) : 0,
      mtimeNs: BigInt(fields.mtime_ns ?? 0),
      linkCount,
      linkGroup: linkCount > 1 && type !== ObjectType.directory ? (text('link_group') ?? text('ino')) : undefined,
      target: target === undefined ? undefined : Buffer.from(target, 'hex'),
      sha256: text('sha256'),
    };
  } catch (cause) {
    throw new ClfsError('usage', `Line ${number} of the manifest is not one of a manifest: ${messageOf(cause)}.`, { cause });
  }
}

interface Node {
  readonly entry: ManifestEntry;
  readonly children: Map<string, Node>;
}

/** Expects of a container what a manifest says. The manifest is kept in memory. @throws ClfsError `usage`; the reason of the signal */
export async function expectManifest(file: string | Uint8Array, signal?: AbortSignal): Promise<Expectation> {
  const nodes = new Map<string, Node>();
  let number = 0;
  try {
    for await (const line of createInterface({
      input: createReadStream(typeof file === 'string' ? file : Buffer.from(file)),
      crlfDelay: Number.POSITIVE_INFINITY,
    })) {
      signal?.throwIfAborted();
      number++;
      if (line === '') continue;
      const entry = parseManifestEntry(line, number);
      nodes.set(pathKey(entry.path), { entry, children: new Map() });
    }
  } catch (error) {
    if (error instanceof ClfsError || signal?.aborted) throw error;
    throw new ClfsError('usage', `Cannot read the manifest ${quotePath(Buffer.from(file))}: ${messageOf(error)}.`, { cause: error });
  }
  for (const [path, node] of nodes) {
    if (path === '') continue;
    const slash = path.lastIndexOf('/');
    nodes.get(slash < 0 ? '' : path.slice(0, slash))?.children.set(path.slice(slash + 1), node);
  }
  return {
    directory(path) {
      const node = nodes.get(pathKey(path));
      if (!node) throw entryFailure('entry-vanished', 'the manifest does not have it');
      const child = (name: Buffer) => {
        const found = node.children.get(name.toString('latin1'));
        if (!found) throw entryFailure('entry-vanished', 'the manifest does not have it');
        return found.entry;
      };
      return {
        self: toExpected(path, node.entry),
        *names() {
          for (const name of node.children.keys()) yield Buffer.from(name, 'latin1');
        },
        entry: (name) => toExpected(name, child(name)),
        content(name) {
          const { sha256 } = child(name);
          return sha256 === undefined ? { kind: 'unknown' } : { kind: 'sha256', hex: sha256 };
        },
        close: () => undefined,
      };
    },
    close: () => undefined,
  };
}

function pathKey(path: Uint8Array): string {
  const key = Buffer.from(path).toString('latin1');
  return key === '.' ? '' : key;
}

function toExpected(name: Buffer, entry: ManifestEntry): ExpectedEntry {
  const { type, mode, uid, gid, sizeBytes, deviceMajor, deviceMinor, linkGroup } = entry;
  return {
    name,
    type,
    permissions: mode & 0o7777,
    uid,
    gid,
    sizeBytes,
    deviceMajor,
    deviceMinor,
    mtimeNs: clampNs(entry.mtimeNs),
    linkKey: linkGroup,
    target: entry.target && Buffer.from(entry.target),
  };
}
