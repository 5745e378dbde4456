import { createManifest } from '../../src/audit/create-manifest.js';
import type { ExpectedEntry } from '../../src/audit/expectation.js';
import { fsck } from '../../src/audit/fsck.js';
import { verify } from '../../src/audit/verify.js';
import type { Container } from '../../src/container/container.js';
import { isDot, isDotDot } from '../../src/format/dirents.js';
import type { EntryType } from '../../src/format/ids.js';
import { openLz4 } from '../../src/lz4/lz4.js';
import { formatManifestEntry } from '../../src/manifest/manifest-entry.js';
import { lookUp } from '../../src/namespace/lookup.js';
import { indexContainer, type ObjectIndex } from '../../src/namespace/object-index.js';
import { ContainerReader, type FoundInode } from '../../src/namespace/reader.js';
import { walk } from '../../src/namespace/walk.js';
import { escapePath } from '../../src/text/escape-path.js';
import { ComputedContainer } from './computed-container.js';

/** A way to go over a whole tree. @returns how many entries it met */
type WholeTree = (reader: ContainerReader, index: ObjectIndex, onEntry: () => void) => Promise<number>;

/** Goes over a whole tree, in each way that there is; each throws when something is not as it must be. */
const WHOLE_TREES: Readonly<Record<string, WholeTree>> = {
  async walk(reader, _, onEntry) {
    let entries = 0;
    for await (const { found, error } of walk(reader)) {
      if (!found) throw error;
      entries++;
      onEntry();
    }
    return entries;
  },
  async fsck(reader, index, onEntry) {
    const summary = await fsck(counting(reader, onEntry), index, { content: true }, ({ code, message, object }) => {
      throw new Error(`${code}: ${message} [${object}]`);
    });
    return summary.entries;
  },
  async manifest(reader, _, onEntry) {
    let entries = 0;
    for await (const { entry, error } of createManifest(reader, { hash: true })) {
      if (!entry) throw error;
      if (formatManifestEntry(entry).length < 50) throw new Error('A line is too short.');
      entries++;
      onEntry();
    }
    return entries;
  },
  /** With what the container itself holds, read a second time. */
  async verify(reader, _, onEntry) {
    const options = { content: false, sample: 1, timeToleranceNs: 0n };
    const directory = (path: Buffer) => expectedDirectory(reader, path);
    const expectation = { isPlain: false, directory, close: () => undefined };
    const summary = await verify(expectation, reader, options, ({ mark, path, details }) => {
      if (mark !== '=') throw new Error(`${mark} ${escapePath(path)}: ${details.join(', ')}`);
      onEntry();
    });
    return summary.same;
  },
};

/** A reader that tells of each inode that is read. */
function counting(reader: ContainerReader, onEntry: () => void): ContainerReader {
  const counted = new ContainerReader(reader.container, reader.finder, openLz4());
  const inode = counted.inode.bind(counted);
  counted.inode = (id) => {
    onEntry();
    return inode(id);
  };
  return counted;
}

async function expectedDirectory(reader: ContainerReader, path: Buffer) {
  const { found } = await lookUp(reader, path);
  const entries = new Map<string, ExpectedEntry>();
  for await (const piece of reader.entries(found)) {
    for (const { name, handle } of piece) {
      if (!isDot(name) && !isDotDot(name))
        entries.set(Buffer.from(name).toString(), toExpected(Buffer.from(name), await reader.inode(handle)));
    }
  }
  return {
    self: toExpected(Buffer.alloc(0), found),
    names: () => [...entries.values()].map(({ name }) => name),
    entry: (name: Buffer) => entries.get(name.toString()) as ExpectedEntry,
    content: () => ({ kind: 'unknown' }) as const,
    close: () => undefined,
  };
}

function toExpected(name: Buffer, { inode: { attributes: a } }: FoundInode): ExpectedEntry {
  const mtimeNs = BigInt(a.mtime.seconds) * 1_000_000_000n + BigInt(a.mtime.nanoseconds);
  const { uid, gid, lengthBytes: sizeBytes, deviceMajor, deviceMinor } = a;
  return {
    name,
    type: a.type as EntryType,
    permissions: a.mode & 0o7777,
    uid,
    gid,
    sizeBytes,
    deviceMajor,
    deviceMinor,
    mtimeNs,
    linkKey: undefined,
    target: undefined,
  };
}

/** How it went; times in microseconds of processor time an object, so that other work on the machine does not count. */
export interface ScaleRun {
  readonly entries: number;
  readonly listing: number;
  /** Of the first and of the last tenth of the entries, and of all. */
  readonly first: number;
  readonly last: number;
  readonly mean: number;
  /** Time that went by, the listing included. */
  readonly seconds: number;
  /** The largest resident size of the process so far, in MB. */
  readonly peakMb: number;
}

/** Lists a container that is computed, and goes over its tree. @param count entries */
export async function runAtScale(verb: string, count: number): Promise<ScaleRun> {
  const container: Container & { readonly count: number } = new ComputedContainer(count);
  const started = performance.now();
  const listed = cpuMs();
  const index = await indexContainer(container);
  const begun = cpuMs();
  const reader = new ContainerReader(container, index, openLz4());
  const tenth = Math.floor(container.count / 10);
  let met = 0;
  let firstMs = 0;
  let lastFrom = 0;
  const entries = await WHOLE_TREES[verb](reader, index, () => {
    met++;
    if (met === tenth) firstMs = cpuMs() - begun;
    if (met === container.count - tenth) lastFrom = cpuMs();
  });
  const ended = cpuMs();
  index.close();
  if (entries !== container.count) throw new Error(`${verb} met ${entries} entries of ${container.count}.`);
  const each = (ms: number, of: number) => (1000 * ms) / of;
  return {
    entries,
    listing: each(begun - listed, container.count),
    first: each(firstMs, tenth),
    last: each(ended - lastFrom, tenth),
    mean: each(ended - begun, container.count),
    seconds: (performance.now() - started) / 1000,
    peakMb: Math.round(process.resourceUsage().maxRSS / 1024),
  };
}

/** Processor time of all threads of the process. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
