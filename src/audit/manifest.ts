import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { ClfsError, messageOf } from '../error.js';
import { ENTRY_TYPE_NAMES, type EntryType, ObjectType } from '../format/ids.js';
import { entryFailure } from '../source/source-tree.js';
import { clampNs, type Expectation, type ExpectedEntry } from './expectation.js';

/** One line of a manifest. */
export interface ManifestEntry {
  /** Below the root, joined by `/`; `.` for the root. */
  readonly path: Uint8Array;
  readonly type: EntryType;
  /** st_mode, type bits included. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: bigint;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  readonly mtimeNs: bigint;
  readonly linkCount: number;
  /** Tells which lines are links of one file. */
  readonly linkGroup: string | undefined;
  readonly target: Uint8Array | undefined;
  readonly sha256: string | undefined;
}

/** The line of an entry, without its end. Times are strings: JSON's numbers end at 2^53. */
export function formatManifestEntry(entry: ManifestEntry): string {
  const path = Buffer.from(entry.path);
  return JSON.stringify({
    path: path.toString('utf8'),
    path_hex: path.toString('hex'),
    type: ENTRY_TYPE_NAMES[entry.type],
    mode: entry.mode,
    nlink: entry.linkCount,
    uid: entry.uid,
    gid: entry.gid,
    size: Number(entry.sizeBytes),
    rdev_major: entry.deviceMajor,
    rdev_minor: entry.deviceMinor,
    mtime_ns: entry.mtimeNs.toString(),
    link_group: entry.linkGroup,
    target_hex: entry.target && Buffer.from(entry.target).toString('hex'),
    sha256: entry.sha256,
  });
}

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

/** Expects of a container what a manifest says. The manifest is kept in memory. @throws ClfsError `usage` */
export async function expectManifest(file: string): Promise<Expectation> {
  const nodes = new Map<string, Node>();
  let number = 0;
  try {
    for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
      number++;
      if (line === '') continue;
      const entry = parseManifestEntry(line, number);
      nodes.set(pathKey(entry.path), { entry, children: new Map() });
    }
  } catch (error) {
    if (error instanceof ClfsError) throw error;
    throw new ClfsError('usage', `Cannot read the manifest ${JSON.stringify(file)}: ${messageOf(error)}.`, { cause: error });
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
