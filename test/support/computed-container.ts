import { MemoryContainer } from '../../src/container/memory-container.js';
import { ClfsError } from '../../src/error.js';
import { EPOCH } from '../../src/format/attributes.js';
import { NO_ROOTS } from '../../src/format/block-map.js';
import { encodeBucket } from '../../src/format/bucket.js';
import { encodeDirents } from '../../src/format/dirents.js';
import { ENVELOPE_BYTES, writePlainEnvelope } from '../../src/format/envelope.js';
import { GEOMETRY } from '../../src/format/geometry.js';
import { bytesEqual, encodeFileHandle, isRootId, ObjectType, ROOT_ID, targetManagerOf } from '../../src/format/ids.js';
import { encodeInode } from '../../src/format/inode.js';
import { BUCKET_NAME, decodeObjectName, encodeObjectName, FIRST_VERSION } from '../../src/format/names.js';

/** Entries of each directory. */
const FAN_OUT = 100;
const FIRST_SEQUENCE = 2000;
const LISTED_AT_ONCE = 5000;
const DATA = Buffer.alloc(100, 'what every file holds, ');
const UUID = '01234567-89ab-4cde-8f01-23456789abcd';
/**
 * A prime that shares no factor with the numbers of objects here: the listing is in no order that has to do with the
 * tree.
 */
const STRIDE = 1_000_003;
const ATTRIBUTES = {
  flags: 0,
  uid: 1000,
  gid: 100,
  dtime: EPOCH,
  mtime: { seconds: 1_700_000_000, nanoseconds: 5 },
  ctime: { seconds: 1_700_000_000, nanoseconds: 7 },
  atime: { seconds: 1_700_000_000, nanoseconds: 9 },
  fsid: 77n,
  deviceMajor: 0,
  deviceMinor: 0,
  containerId: 4711n,
};

/**
 * A container that is computed: a tree of files of 100 bytes, 100 entries a directory, of which nothing is stored.
 *
 * Nodes have numbers, level by level from the top: the children of node n are n × 100 + 1 and on, so that each object
 * is a function of its number. All levels are full but the last: nodes below `directories` are directories, those from
 * there on are files.
 */
export class ComputedContainer extends MemoryContainer {
  /** Objects, the bucket object not counted: directories and files. */
  readonly count: number;
  readonly #directories: number;

  /** @param count of directories and files; rounded up so that each directory is full */
  constructor(count: number) {
    super();
    this.#directories = Math.ceil((count - 1) / FAN_OUT);
    this.count = 1 + this.#directories * FAN_OUT;
    this.blobs.set(BUCKET_NAME, plain(encodeBucket(UUID, [])));
  }

  override async *list(prefix: string): AsyncGenerator<readonly { name: string; sizeBytes: number }[]> {
    yield* super.list(prefix);
    if (prefix !== '') throw new Error('Only the whole of it is listed.');
    let page: { name: string; sizeBytes: number }[] = [];
    for (let i = 0; i < this.count; i++) {
      const node = (i * STRIDE) % this.count;
      page.push({ name: this.#name(node), sizeBytes: this.#isDirectory(node) ? 6000 : 500 });
      if (page.length < LISTED_AT_ONCE) continue;
      yield page;
      page = [];
    }
    yield page;
  }

  override async get(name: string, limitBytes: number): Promise<Buffer> {
    if (this.blobs.has(name)) return super.get(name, limitBytes);
    const id = decodeObjectName(name)?.id;
    const node = id === undefined ? -1 : nodeOf(id);
    if (id === undefined || node < 0 || node >= this.count || !bytesEqual(id, this.#handle(node)))
      throw new ClfsError('not-found', `There is no blob ${name}.`);
    return plain(this.#inode(node));
  }

  #isDirectory(node: number): boolean {
    return node < this.#directories;
  }

  #handle(node: number): Uint8Array {
    if (node === 0) return ROOT_ID;
    const parent = parentOf(node);
    const type = this.#isDirectory(node) ? ObjectType.directory : ObjectType.regular;
    return encodeFileHandle({
      containerId: 4711,
      sourceManager: parent === 0 ? targetManagerOf(ROOT_ID) : parent % 48,
      targetManager: node % 48,
      type,
      sequence: BigInt(FIRST_SEQUENCE + node),
      random: (BigInt(Math.imul(node, 0x9e3779b1) >>> 0) << 32n) | 1n,
    });
  }

  #name(node: number): string {
    const type = this.#isDirectory(node) ? ObjectType.directory : ObjectType.regular;
    return encodeObjectName({
      id: this.#handle(node),
      type,
      owner: this.#handle(parentOf(node)),
      version: FIRST_VERSION,
    });
  }

  #inode(node: number): Buffer {
    const isDirectory = this.#isDirectory(node);
    const handle = this.#handle(node);
    const parent = this.#handle(parentOf(node));
    const children = Array.from({ length: isDirectory ? FAN_OUT : 0 }, (_, i) => node * FAN_OUT + 1 + i);
    const entries = children.map((child) => ({ name: nameOf(child), handle: this.#handle(child) }));
    const dirents = isDirectory
      ? encodeDirents([{ name: Buffer.from('.'), handle }, { name: Buffer.from('..'), handle: parent }, ...entries])
      : undefined;
    const lengthBytes = BigInt(dirents ? 4 + dirents.length : DATA.length);
    const { firstSegmentBytes, directorySegmentBytes, fileSegmentBytes } = GEOMETRY;
    return encodeInode({
      attributes: {
        ...ATTRIBUTES,
        mode: isDirectory ? 0o040755 : 0o100644,
        type: isDirectory ? ObjectType.directory : ObjectType.regular,
        lengthBytes,
        usedBytes: lengthBytes,
        inodeNumber: BigInt(node + 1),
        linkCount: isDirectory ? 2 + children.filter((child) => this.#isDirectory(child)).length : 1,
      },
      blockMap: {
        firstSegmentBytes,
        segmentBytes: isDirectory ? directorySegmentBytes : fileSegmentBytes,
        direct: [handle],
        roots: NO_ROOTS,
      },
      backPointers: isDirectory ? undefined : [parent],
      name: node === 0 ? Buffer.alloc(0) : nameOf(node),
      data: isDirectory ? undefined : DATA,
      dirents,
      extendedAttributes:
        node === 0
          ? new Map([
              ['containeridEpoch', '2'],
              ['massUUID', UUID],
              ['wipeEpoch', UUID],
            ])
          : undefined,
      otherRecords: [],
    });
  }
}

function parentOf(node: number): number {
  return node === 0 ? 0 : Math.floor((node - 1) / FAN_OUT);
}

function nameOf(node: number): Buffer {
  return Buffer.from(`entry-${String(node).padStart(11, '0')}`);
}

function nodeOf(id: Uint8Array): number {
  if (isRootId(id)) return 0;
  return id.length === 24 ? Number(Buffer.from(id).readBigUInt64LE(8)) - FIRST_SEQUENCE : -1;
}

function plain(body: Uint8Array): Buffer {
  const blob = Buffer.alloc(ENVELOPE_BYTES + body.length);
  writePlainEnvelope(blob);
  blob.set(body, ENVELOPE_BYTES);
  return blob;
}
