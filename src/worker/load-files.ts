import { setImmediate } from 'node:timers/promises';
import type { Traffic } from '../container/traffic.js';
import { fileBlockCount, maximumBlockCount } from '../format/geometry.js';
import { hash64Hex } from '../format/hash.js';
import { type EntryType, ObjectType, targetManagerOf } from '../format/ids.js';
import { encodeObjectName, encodeObjectNameHashed, FIRST_VERSION } from '../format/names.js';
import { entryFailure, type SourceAttributes, type SourceDirectory, type SourceFile } from '../source/source-tree.js';
import { buildInode, buildSegment, type InodeIdentity, layoutInode, SEGMENT_DATA_AT, segmentObjectBytes } from './build-inode.js';
import type { WorkContext } from './context.js';
import { hasClampedTime, isUnchanged, packAttributes, toAttributes } from './file-attributes.js';
import { joinPath, manifestLines, newHash } from './manifest-lines.js';
import type { ObjectDraft } from './object-writer.js';
import { unpackEntries } from './packed-entries.js';
import { problemOf } from './problem.js';
import type { FilesResult, FilesTask, LinkedTask } from './tasks.js';

/** Symlink targets longer than this are beyond what the cache can use. Source: clfs-format.md 6.6 */
const LONGEST_TARGET_BYTES = 1023;
const MOST_ATTEMPTS = 3;
/** Entries after which answers of the service get their turn. */
const TURN_ENTRIES = 8;

/** Loads the entries of a chunk; large files are only found out about. */
export async function loadFiles(task: FilesTask, context: WorkContext): Promise<FilesResult> {
  const result = new ResultBuilder(context.traffic);
  const directoryHandle = Buffer.from(task.directoryHandle);
  const ownerHash = hash64Hex(directoryHandle);
  const manager = targetManagerOf(directoryHandle);
  const backPointers = [directoryHandle];
  const { manifest } = context.constants;
  let directory: SourceDirectory | undefined;
  let unusable: unknown;
  try {
    directory = context.source.openDirectory(Buffer.from(task.place.path), task.place);
  } catch (error) {
    unusable = error;
  }
  try {
    for (const { index, type, name } of unpackEntries(task.entries)) {
      if (index % TURN_ENTRIES === TURN_ENTRIES - 1) await setImmediate();
      if (result.broken) break;
      const sequence = task.firstSequence + index;
      const handle = context.ids.handle(sequence, type, manager, manager);
      const objectName = encodeObjectNameHashed(handle, type, ownerHash, FIRST_VERSION);
      const item: Item = {
        index,
        sequence,
        type,
        handle,
        backPointers,
        name,
        sourceName: name,
        objectName,
        generation: 0,
        candidate: 0,
        paths: manifest ? [joinPath(task.place.path, name)] : undefined,
      };
      const segmentLeftover = () => result.leftovers.push(segmentName(context, item));
      try {
        if (!directory) throw unusable;
        const outcome = await loadEntry(directory, item, context, result);
        if (task.suspect && type === ObjectType.regular && outcome !== 'segment') segmentLeftover();
      } catch (error) {
        result.failures.push({ index, ...problemOf(error, attemptsOf(error)) });
        if (task.suspect) {
          result.leftovers.push(objectName);
          if (type === ObjectType.regular) segmentLeftover();
        }
      }
    }
  } finally {
    directory?.close();
  }
  await result.settle();
  await context.container.flush();
  return result.value();
}

/** Loads an inode that has several links, by the first of its paths that can be read. */
export async function loadLinked(task: LinkedTask, context: WorkContext): Promise<FilesResult> {
  const result = new ResultBuilder(context.traffic);
  const handle = Buffer.from(task.handle);
  const objectName = encodeObjectName({ id: handle, type: task.type, owner: task.backPointers[0], version: task.version });
  const paths = context.constants.manifest ? task.candidates.map(({ place, name }) => joinPath(place.path, name)) : undefined;
  let problem: unknown;
  let loaded = false;
  for (const [candidate, { place, name }] of task.candidates.entries()) {
    const item: Item = { ...task, index: 0, handle, sourceName: Buffer.from(name), objectName, candidate, expectedInode: task.inode, paths };
    let directory: SourceDirectory | undefined;
    try {
      directory = context.source.openDirectory(Buffer.from(place.path), place);
      const outcome = await loadEntry(directory, item, context, result);
      if (task.suspect && outcome !== 'segment') result.leftovers.push(segmentName(context, item));
      loaded = true;
      break;
    } catch (error) {
      problemOf(error, 1);
      problem ??= error;
    } finally {
      directory?.close();
    }
  }
  if (!loaded) {
    result.failures.push({ index: 0, ...problemOf(problem, task.candidates.length) });
    if (task.suspect) result.leftovers.push(objectName, segmentName(context, task));
  }
  await result.settle();
  await context.container.flush();
  return result.value();
}

interface Item extends InodeIdentity {
  readonly index: number;
  readonly sequence: number;
  readonly type: EntryType;
  readonly handle: Buffer;
  readonly sourceName: Buffer;
  readonly objectName: string;
  readonly generation: number;
  readonly candidate: number;
  readonly expectedInode?: bigint;
  /** For the manifest: all its paths. */
  readonly paths?: readonly Uint8Array[];
}

type Outcome = 'inode' | 'segment' | 'large';

async function loadEntry(directory: SourceDirectory, item: Item, context: WorkContext, result: ResultBuilder): Promise<Outcome> {
  if (item.type !== ObjectType.regular) {
    await loadSpecial(directory, item, context, result);
    return 'inode';
  }
  const file = directory.openFile(item.sourceName);
  try {
    for (let attempt = 1; ; attempt++) {
      const before = checked(file.attributes(), item);
      const outcome = await loadRegular(file, before, item, context, result);
      if (outcome) return outcome;
      if (attempt === MOST_ATTEMPTS)
        throw Object.assign(entryFailure('entry-changed', `it changed each of the ${MOST_ATTEMPTS} times that it was read`), { attempts: attempt });
    }
  } finally {
    file.close();
  }
}

function attemptsOf(error: unknown): number {
  return (error as { attempts?: number }).attempts ?? 1;
}

/** @returns undefined when the file changed while it was read; nothing has been sent then */
async function loadRegular(file: SourceFile, before: SourceAttributes, item: Item, context: WorkContext, result: ResultBuilder): Promise<Outcome | undefined> {
  const { geometry } = context.constants;
  const sizeBytes = Number(before.sizeBytes);
  const blocks = fileBlockCount(sizeBytes, geometry);
  if (blocks > maximumBlockCount(geometry) || before.sizeBytes > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw entryFailure('entry-too-large', `its ${before.sizeBytes} bytes need more segments than four indirect trees hold`);
  }
  if (blocks > 2) {
    const attributes = packAttributes(toAttributes(before, context.constants, sizeBytes, item.backPointers.length));
    result.large.push({ index: item.index, attributes, sizeBytes, candidate: item.candidate });
    warnOfTimes(before, item, result);
    return 'large';
  }
  const firstBytes = Math.min(sizeBytes, geometry.firstSegmentBytes);
  const segmentBytes = sizeBytes - firstBytes;
  const segmentId = blocks === 2 ? context.ids.segment(item.sequence, item.generation, 1) : undefined;
  // One byte of room more than the data: reading it tells whether the file has grown.
  const layout = layoutInode(item, segmentId ? [item.handle, segmentId] : [item.handle], firstBytes);
  const reserved = context.writer.reserve(layout.sizeBytes + 1);
  const inode = reserved instanceof Promise ? await reserved : reserved;
  let segment: ObjectDraft | undefined;
  let kept = false;
  try {
    if (segmentId) segment = await context.writer.reserve(segmentObjectBytes(segmentBytes, item.handle) + 1);
    const attributes = toAttributes(before, context.constants, sizeBytes, item.backPointers.length);
    const buffer = inode.buffer();
    const expectedBytes = segment ? firstBytes : firstBytes + 1;
    if (file.read(buffer.subarray(layout.dataAt, layout.dataAt + expectedBytes), 0) !== firstBytes) return undefined;
    const hash = item.paths && newHash().update(buffer.subarray(layout.dataAt, layout.dataAt + firstBytes));
    inode.seal(buildInode(buffer, layout, item, attributes, firstBytes, geometry));
    if (segment) {
      const target = segment.buffer();
      if (file.read(target.subarray(SEGMENT_DATA_AT, SEGMENT_DATA_AT + segmentBytes + 1), firstBytes) !== segmentBytes) return undefined;
      hash?.update(target.subarray(SEGMENT_DATA_AT, SEGMENT_DATA_AT + segmentBytes));
      segment.seal(buildSegment(target, segmentBytes, attributes.ctime.seconds, firstBytes, item.handle));
    }
    if (!file.isUnchanged(before)) return undefined;
    kept = true;
    if (segment) result.track(segment.send(segmentName(context, item)));
    result.trackEntry(inode.send(item.objectName), sizeBytes);
    if (item.paths) result.manifest.push(...manifestLines(item.paths, attributes, { handle: item.handle, sha256: hash?.digest('hex') }));
    warnOfTimes(before, item, result);
    return segment ? 'segment' : 'inode';
  } finally {
    if (!kept) {
      inode.drop();
      segment?.drop();
    }
  }
}

/** Symlinks, devices, fifos and sockets. */
async function loadSpecial(directory: SourceDirectory, item: Item, context: WorkContext, result: ResultBuilder): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const before = checked(directory.attributesOf(item.sourceName), item);
    const target = item.type === ObjectType.symlink ? directory.readLink(item.sourceName) : undefined;
    if (target && !isUnchanged(before, directory.attributesOf(item.sourceName))) {
      if (attempt === MOST_ATTEMPTS) throw entryFailure('entry-changed', `it changed each of the ${MOST_ATTEMPTS} times that it was read`);
      continue;
    }
    const attributes = toAttributes(before, context.constants, target?.length ?? 0, item.backPointers.length);
    const layout = layoutInode(item, [item.handle], target?.length);
    const draft = await context.writer.reserve(layout.sizeBytes);
    const buffer = draft.buffer();
    if (target) buffer.set(target, layout.dataAt);
    draft.seal(buildInode(buffer, layout, item, attributes, target?.length, context.constants.geometry));
    result.trackEntry(draft.send(item.objectName), 0);
    if (item.paths) result.manifest.push(...manifestLines(item.paths, attributes, { handle: item.handle, target }));
    if (target && target.length > LONGEST_TARGET_BYTES) {
      result.warnings.push({ index: item.index, text: `its symlink target has ${target.length} bytes; the cache reads ${LONGEST_TARGET_BYTES}` });
    }
    warnOfTimes(before, item, result);
    return;
  }
}

function checked(attributes: SourceAttributes, item: Item): SourceAttributes {
  if (attributes.type !== item.type) throw entryFailure('entry-type-changed', 'its type is not the one that it was listed with');
  if (item.expectedInode !== undefined && attributes.inode !== item.expectedInode)
    throw entryFailure('entry-changed', 'another file has taken its place since it was listed');
  return attributes;
}

function warnOfTimes(attributes: SourceAttributes, item: Item, result: ResultBuilder): void {
  if (hasClampedTime(attributes))
    result.warnings.push({ index: item.index, text: 'a time before 1970 or after 2106 was moved to the nearest one that the format has' });
}

function segmentName(context: WorkContext, item: Pick<LinkedTask, 'sequence' | 'generation' | 'handle'>): string {
  return encodeObjectName({ id: context.ids.segment(item.sequence, item.generation, 1), type: ObjectType.segment, owner: item.handle, version: FIRST_VERSION });
}

class ResultBuilder {
  done = 0;
  bytes = 0;
  readonly failures: FilesResult['failures'][number][] = [];
  readonly large: FilesResult['large'][number][] = [];
  readonly warnings: FilesResult['warnings'][number][] = [];
  readonly leftovers: string[] = [];
  readonly manifest: string[] = [];
  broken: unknown;
  readonly #traffic: Traffic;
  #outstanding = 0;
  #settled: (() => void) | undefined;

  constructor(traffic: Traffic) {
    this.#traffic = traffic;
  }

  /** {@link track}s the put of an entry's inode: when all of them have ended well, the entry is done. */
  trackEntry(put: Promise<void>, bytes: number): void {
    this.done++;
    this.bytes += bytes;
    this.track(put, bytes);
  }

  /** Keeps an eye on a put; an error of one ends the task once all have ended. */
  track(put: Promise<void>, entryBytes?: number): void {
    this.#outstanding++;
    put.then(
      () => {
        if (entryBytes !== undefined) {
          this.#traffic.add('filesPut', 1);
          this.#traffic.add('bytesPut', entryBytes);
        }
        this.#ended();
      },
      (error: unknown) => {
        this.broken ??= error;
        this.#ended();
      },
    );
  }

  /** @throws the first error of a put */
  async settle(): Promise<void> {
    if (this.#outstanding > 0) await new Promise<void>((resolve) => (this.#settled = resolve));
    if (this.broken) throw this.broken;
  }

  value(): FilesResult {
    const { done, bytes, failures, large, warnings, leftovers, manifest } = this;
    return { kind: 'files', done, bytes, failures, large, warnings, leftovers, manifest };
  }

  #ended(): void {
    if (--this.#outstanding === 0) this.#settled?.();
  }
}
