import { isClfsError } from '../error.js';
import { decodeBucket } from '../format/bucket.js';
import { BUCKET_ID, ENTRY_TYPE_NAMES, idHex, ObjectType, ROOT_ID } from '../format/ids.js';
import { FIRST_VERSION } from '../format/names.js';
import type { ObjectBlob } from '../namespace/object-blob.js';
import type { ObjectIndex } from '../namespace/object-index.js';
import type { ContainerReader } from '../namespace/reader.js';

/** What is known of a container without walking its tree. */
export interface ContainerReport {
  /** Whether the root directory is there: the load was finished. */
  readonly finished: boolean;
  /** What wrote it, as far as can be told. */
  readonly writer: string;
  readonly bucketUuid: string | undefined;
  readonly containerId: string | undefined;
  readonly fsid: string | undefined;
  readonly massUuid: string | undefined;
  readonly logFiles: readonly string[];
  /** Objects that count, by kind. */
  readonly objects: Readonly<Record<string, number>>;
  readonly storedBytes: number;
  /** Objects by version. */
  readonly versions: Readonly<Record<string, number>>;
  readonly supersededObjects: number;
  readonly otherBlobs: number;
  /** Of the objects that were looked into. */
  readonly compression: {
    readonly sampled: number;
    readonly lz4: number;
    readonly none: number;
    readonly encryptedOrUnknown: number;
  };
}

const SAMPLED_OBJECTS = 200;
const SAMPLE_LIMIT_BYTES = 16 * 1048576;

/** Looks at a container: its listing, the bucket object, the root, and a sample of the objects. */
export async function inspectContainer(reader: ContainerReader, index: ObjectIndex): Promise<ContainerReport> {
  const kinds: Record<string, number> = {};
  const versions: Record<string, number> = {};
  const sample: ObjectBlob[] = [];
  const step = Math.max(1, Math.floor(index.count / SAMPLED_OBJECTS));
  let storedBytes = 0;
  let counted = 0;
  for await (const page of index.all()) {
    for (const blob of page) {
      const turn = reader.pause();
      if (turn) await turn;
      const { key, sizeBytes } = blob;
      const kind =
        key.nameVersion === 1
          ? idHex(key.id) === idHex(BUCKET_ID)
            ? 'bucket object'
            : 'version-1 object'
          : kindName(key.type);
      kinds[kind] = (kinds[kind] ?? 0) + 1;
      versions[key.version] = (versions[key.version] ?? 0) + 1;
      storedBytes += sizeBytes;
      if (counted++ % step === 0) sample.push(blob);
    }
  }
  const bucket = await readBucket(reader, index);
  const rootBlob = await index.find(ROOT_ID);
  const root = rootBlob ? await reader.inode(ROOT_ID).catch(ignoreDamage) : undefined;
  const logFiles = [...(bucket ?? [])].filter(([key]) => /^logfile\d+$/.test(key)).map(([, value]) => value);
  return {
    finished: rootBlob !== undefined,
    writer: guessWriter(logFiles, versions, index),
    bucketUuid: bucket?.get('bucketUUID'),
    containerId: root?.inode.attributes.containerId.toString(),
    fsid: root?.inode.attributes.fsid.toString(),
    massUuid: root?.inode.extendedAttributes?.get('massUUID'),
    logFiles,
    objects: kinds,
    storedBytes,
    versions,
    supersededObjects: index.supersededCount,
    otherBlobs: index.otherCount,
    compression: await sampleCompression(reader, sample),
  };
}

function kindName(type: number): string {
  if (type === ObjectType.segment) return 'segment';
  if (type === ObjectType.indirect) return 'indirect block';
  return ENTRY_TYPE_NAMES[type] ?? `type ${type}`;
}

function guessWriter(
  logFiles: readonly string[],
  versions: Readonly<Record<string, number>>,
  index: ObjectIndex,
): string {
  if (logFiles.some((name) => name.startsWith('clfsload-'))) return 'clfsload (this program)';
  if (logFiles.some((name) => name.startsWith('output'))) return 'CLFSLoad';
  for (const { name } of index.others()) if (name.startsWith('tmp')) return 'CLFSLoad, unfinished';
  const highest = Math.max(FIRST_VERSION, ...Object.keys(versions).map(Number));
  return highest > FIRST_VERSION + 2
    ? 'unknown; a cache has probably changed it (reading such containers is untested)'
    : 'unknown';
}

async function readBucket(reader: ContainerReader, index: ObjectIndex) {
  const blob = await index.find(BUCKET_ID);
  if (!blob) return undefined;
  try {
    return decodeBucket((await reader.fetch(blob.name)).body);
  } catch (error) {
    return ignoreDamage(error);
  }
}

async function sampleCompression(
  reader: ContainerReader,
  sample: readonly ObjectBlob[],
): Promise<ContainerReport['compression']> {
  const counts = { sampled: 0, lz4: 0, none: 0, encryptedOrUnknown: 0 };
  for (const { name } of sample) {
    counts.sampled++;
    await reader.pause();
    try {
      const blob = await reader.container.get(name, SAMPLE_LIMIT_BYTES);
      const word = blob.length >= 4 ? blob.readUInt32LE(0) : -1;
      if (word === 0) counts.none++;
      else if (word === 0x10000) counts.lz4++;
      else counts.encryptedOrUnknown++;
    } catch (error) {
      ignoreDamage(error);
      counts.encryptedOrUnknown++;
    }
  }
  return counts;
}

/** What is damaged is left out of the report; `fsck` tells of it. @throws what is not the container's fault */
function ignoreDamage(error: unknown): undefined {
  if (!isClfsError(error, 'format', 'not-found', 'unreadable')) throw error;
  return undefined;
}
