import type { ClfsError } from '../error.js';
import { decodeBucket } from '../format/bucket.js';
import { BUCKET_ID, ENTRY_TYPE_NAMES, idHex, isRootId, ObjectType, ROOT_ID } from '../format/ids.js';
import { BUCKET_NAME } from '../format/names.js';
import type { ContainerIndex, ObjectBlob } from '../namespace/object-finder.js';
import type { ContainerReader } from '../namespace/reader.js';
import { type WalkedEntry, walk } from '../namespace/walk.js';
import { checkDirectory } from './check-directory.js';
import { checkFile } from './check-file.js';
import { checkInode } from './check-inode.js';
import type { FindingSink } from './findings.js';
import { type FsckContext, reportDamage } from './fsck-context.js';

/** What is checked beyond the structure. */
export interface FsckOptions {
  /** Read the segments of files too. */
  readonly content: boolean;
  readonly signal?: AbortSignal;
  /** Told now and then how many entries have been checked. */
  readonly onProgress?: (entries: number) => void;
}

/** What a check went over. */
export interface FsckSummary {
  readonly entries: number;
  readonly objects: number;
  readonly errors: number;
  readonly warnings: number;
  /** Whether some of it could not be read for reasons that are not the container's. */
  readonly incomplete: boolean;
}

/**
 * Checks a container against itself: every rule of the format document that a reader can check.
 *
 * @throws whatever the container throws beside `format` and `not-found`
 */
export async function fsck(reader: ContainerReader, index: ContainerIndex, options: FsckOptions, sink: FindingSink): Promise<FsckSummary> {
  let errors = 0;
  let warnings = 0;
  const single = new Set<ObjectBlob>();
  const context: FsckContext = {
    reader,
    index,
    content: options.content,
    used: new Set(),
    links: new Map(),
    linkedOnce(blob) {
      const before = single.has(blob);
      single.add(blob);
      return before;
    },
    load: undefined,
    report(severity, code, path, object, message) {
      if (severity === 'error') errors++;
      else warnings++;
      sink({ severity, code, path, object, message });
    },
  };
  checkNames(context);
  await checkBucket(context);
  let entries = 0;
  for await (const entry of walk(reader, ROOT_ID)) {
    options.signal?.throwIfAborted();
    await checkEntry(context, entry);
    entries++;
    if (entries % 1000 === 0) options.onProgress?.(entries);
  }
  checkLinks(context);
  checkOrphans(context);
  return { entries, objects: index.objects.size, errors, warnings, incomplete: false };
}

function checkNames({ index, report }: FsckContext): void {
  for (const { name, key } of index.superseded) {
    report('warning', 'superseded-version', undefined, name, `An older or unfinished version (${key.version}) lies beside the one that counts.`);
  }
  for (const { name } of index.others) {
    if (name.startsWith('tmp')) report('warning', 'temporary-blob', undefined, name, 'A blob that an unfinished load left.');
  }
}

async function checkBucket(context: FsckContext): Promise<void> {
  const { reader, index, report } = context;
  const blob = index.objects.get(idHex(BUCKET_ID));
  const logs = new Set<string>();
  if (!blob) report('error', 'no-bucket-object', undefined, BUCKET_NAME, 'The container has no bucket object.');
  else {
    context.used.add(blob);
    if (blob.name !== BUCKET_NAME) report('error', 'bucket-name', undefined, blob.name, 'The bucket object has another name than it must have.');
    try {
      const pairs = decodeBucket((await reader.fetch(blob.name)).body);
      for (const key of ['bucketCurrentNameVersion', 'bucketNameVersion', 'bucketObjVersion']) {
        if (pairs.get(key) !== '2')
          report('error', 'bucket-pairs', undefined, blob.name, `The bucket object's ${key} is ${JSON.stringify(pairs.get(key))}, not "2".`);
      }
      if (!UUID.test(pairs.get('bucketUUID') ?? ''))
        report('error', 'bucket-pairs', undefined, blob.name, 'The bucket object has no bucketUUID that is a UUID.');
      for (const [key, value] of pairs) if (/^logfile\d{3,}$/.test(key)) logs.add(value);
    } catch (error) {
      reportDamage(context, undefined, blob.name, error);
    }
  }
  const others = new Set(index.others.map(({ name }) => name));
  for (const name of logs) if (!others.has(name)) report('error', 'log-missing', undefined, name, 'The bucket object names a log file that is not there.');
  for (const name of others) {
    if (!logs.has(name) && !name.startsWith('tmp'))
      report('warning', 'foreign-blob', undefined, name, 'A blob that is neither an object nor a log file that the bucket object names.');
  }
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

async function checkEntry(context: FsckContext, entry: WalkedEntry): Promise<void> {
  const { found } = entry;
  if (!found) {
    reportUnread(context, entry);
    return;
  }
  const metBefore = context.used.has(found.blob);
  context.used.add(found.blob);
  if (isRootId(entry.handle) && entry.path.length === 0) {
    const { fsid, containerId } = found.inode.attributes;
    context.load = { fsid, containerId };
    const extended = found.inode.extendedAttributes;
    if (extended?.get('containeridEpoch') !== '2' || !UUID.test(extended.get('massUUID') ?? '') || !UUID.test(extended.get('wipeEpoch') ?? '')) {
      context.report('error', 'root-attributes', entry.path, found.blob.name, 'The root directory lacks extended attributes that it must have.');
    }
  }
  checkInode(context, entry, found);
  try {
    if (found.inode.attributes.type === ObjectType.directory) await checkDirectory(context, entry, found);
    else if (!metBefore) await checkFile(context, entry, found);
  } catch (error) {
    reportDamage(context, entry.path, found.blob.name, error);
  }
}

function reportUnread(context: FsckContext, entry: WalkedEntry): void {
  const error = entry.error as ClfsError;
  const id = idHex(entry.handle);
  const blob = context.index.objects.get(id);
  if (blob) context.used.add(blob);
  if (entry.path.length === 0 && isRootId(entry.handle) && error.code === 'not-found') {
    const unfinished = context.index.others.some(({ name }) => name.startsWith('tmp') && name.includes(idHex(ROOT_ID)));
    context.report(
      'error',
      'no-root',
      undefined,
      id,
      unfinished
        ? 'The container has no root directory: its load was not finished (a temporary root is there).'
        : 'The container has no root directory: its load was not finished, or it is no CLFS container.',
    );
    return;
  }
  const code =
    error.code === 'not-found'
      ? 'dangling-entry'
      : error.message.includes('more than once')
        ? 'directory-cycle'
        : error.message.includes('name cannot be one')
          ? 'bad-name'
          : 'damaged-object';
  context.report('error', code, entry.path, blob?.name ?? id, error.message);
}

function checkLinks({ links, report }: FsckContext): void {
  for (const { path, name, backPointers, referrers, named } of links.values()) {
    const wanted = [...backPointers].sort();
    const actual = [...referrers].sort();
    if (wanted.length !== actual.length || wanted.some((id, at) => id !== actual[at])) {
      report(
        'error',
        'link-count',
        path,
        name,
        `The inode has back pointers to ${wanted.length} links; ${actual.length} directory entries refer to it${wanted.length === actual.length ? ', from other directories' : ''}.`,
      );
    }
    if (!named) report('warning', 'name-record', path, name, 'The NAME record is that of none of its directory entries.');
  }
}

function checkOrphans({ index, used, report }: FsckContext): void {
  for (const [hex, blob] of index.objects) {
    if (used.has(blob)) continue;
    const what = blob.key.nameVersion === 1 ? 'object of a kind that loaders do not write' : describeType(blob.key.type);
    if (blob.key.nameVersion === 1 || blob.key.type === ObjectType.tombstone || blob.key.type === ObjectType.special || blob.key.type === ObjectType.hardLink) {
      report('warning', 'unknown-kind', undefined, blob.name, `An ${what} ${hex}, which is left alone.`);
    } else report('error', 'orphan', undefined, blob.name, `Nothing refers to this ${what}.`);
  }
}

function describeType(type: number): string {
  if (type === ObjectType.segment) return 'segment';
  if (type === ObjectType.indirect) return 'indirect block';
  return `${ENTRY_TYPE_NAMES[type] ?? `object of type ${type}`} inode`;
}
