import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { ClfsError, messageOf } from '../error.js';
import { type ManifestEntry, parseManifestEntry } from '../manifest/manifest-entry.js';
import { entryFailure } from '../source/source-tree.js';
import { quotePath } from '../text/escape-path.js';
import { clampNs, type Expectation, type ExpectedEntry } from './expectation.js';

interface Node {
  readonly entry: ManifestEntry;
  readonly children: Map<string, Node>;
}

/**
 * Expects of a container what a manifest says. The manifest is kept in memory. @throws ClfsError `usage`; the reason of
 * the signal
 */
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
    throw new ClfsError('usage', `Cannot read the manifest ${quotePath(Buffer.from(file))}: ${messageOf(error)}.`, {
      cause: error,
    });
  }
  for (const [path, node] of nodes) {
    if (path === '') continue;
    const slash = path.lastIndexOf('/');
    const parent = nodes.get(slash < 0 ? '' : path.slice(0, slash));
    if (!parent)
      throw new ClfsError(
        'usage',
        `The manifest ${quotePath(Buffer.from(file))} has ${quotePath(Buffer.from(path, 'latin1'))}, and no line of the directory that it is in: it is not whole.`,
      );
    parent.children.set(path.slice(slash + 1), node);
  }
  return {
    isPlain: true,
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
