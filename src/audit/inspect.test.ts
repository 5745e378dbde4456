import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blobNamed, makeAudited } from '../../test/support/audited.js';
import { SMALL } from '../../test/support/check.js';
import { sampleBlockId } from '../../test/support/samples.js';
import { copyOf, objectBody, putObject } from '../../test/support/small-container.js';
import { removeTree } from '../../test/support/tree.js';
import type { MemoryContainer } from '../container/memory-container.js';
import { ClfsError } from '../error.js';
import { decodeBucket, encodeBucket } from '../format/bucket.js';
import { ROOT_ID } from '../format/ids.js';
import { decodeInode } from '../format/inode.js';
import { BUCKET_NAME, encodeObjectName, encodeObjectNameV1 } from '../format/names.js';
import { openLz4 } from '../lz4/lz4.js';
import { indexContainer } from '../namespace/object-index.js';
import { ContainerReader } from '../namespace/reader.js';
import { type ContainerReport, inspectContainer } from './inspect.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-inspect-unit-'));
let whole: MemoryContainer;
beforeAll(async () => {
  whole = (await makeAudited(base)).whole;
});
afterAll(() => removeTree(base));

async function inspect(change: (container: MemoryContainer) => void = () => undefined): Promise<ContainerReport> {
  const container = copyOf(whole);
  change(container);
  const index = await indexContainer(container);
  try {
    return await inspectContainer(new ContainerReader(container, index, openLz4(), SMALL), index);
  } finally {
    index.close();
  }
}

const withLogs =
  (...names: readonly string[]) =>
  (container: MemoryContainer) =>
    putObject(container, BUCKET_NAME, encodeBucket('5a478fa3-f0ea-4382-8dbb-667193d901c6', names));
const versioned = (version: number) => (container: MemoryContainer) => {
  withLogs()(container);
  const { blob } = blobNamed(container, 'file');
  const object = container.blobs.get(blob) as Buffer;
  container.blobs.set(blob.replace('.00000000009.', `.${String(version).padStart(11, '0')}.`), object);
};

describe('what is told of a container', () => {
  it('is what its listing, its bucket object and its root say', async () => {
    const report = await inspect();
    const root = decodeInode(objectBody(whole, blobNamed(whole, '/').blob));
    const logs = [...whole.blobs.keys()].filter((name) => name.endsWith('.log'));
    const objects = [...whole.blobs].filter(([name]) => !name.endsWith('.log'));
    expect(logs).toHaveLength(1);
    expect(report).toEqual({
      finished: true,
      writer: 'clfsload (this program)',
      bucketUuid: decodeBucket(objectBody(whole, BUCKET_NAME)).get('bucketUUID'),
      containerId: root.attributes.containerId.toString(),
      fsid: root.attributes.fsid.toString(),
      massUuid: root.extendedAttributes?.get('massUUID'),
      logFiles: logs,
      objects: { 'bucket object': 1, directory: 4, regular: 33, symlink: 1, fifo: 1, segment: 17, 'indirect block': 4 },
      storedBytes: objects.reduce((sum, [, blob]) => sum + blob.length, 0),
      versions: { 9: objects.length },
      supersededObjects: 0,
      otherBlobs: 1,
      compression: { sampled: objects.length, lz4: 0, none: objects.length, encryptedOrUnknown: 0 },
    });
  });

  it('is less where bucket object or root are missing or damaged', async () => {
    const root = blobNamed(whole, '/').blob;
    const unknown = { containerId: undefined, fsid: undefined, massUuid: undefined };
    expect(await inspect((c) => void c.blobs.delete(root))).toMatchObject({ finished: false, ...unknown });
    expect(await inspect((c) => putObject(c, root, Buffer.from('rubbish')))).toMatchObject({
      finished: true,
      ...unknown,
    });
    const none = { bucketUuid: undefined, logFiles: [], writer: 'unknown' };
    expect(await inspect((c) => void c.blobs.delete(BUCKET_NAME))).toMatchObject(none);
    expect(await inspect((c) => putObject(c, BUCKET_NAME, Buffer.from('rubbish')))).toMatchObject(none);
  });

  it.each<[string, (container: MemoryContainer) => void, string]>([
    ['a log of this program', withLogs('output-1.log', 'clfsload-1.log'), 'clfsload (this program)'],
    ['a log of the reference loader', withLogs('output-1.log'), 'CLFSLoad'],
    ['other logs', withLogs('x-clfsload-1.log'), 'unknown'],
    [
      'a temporary root',
      (c) => {
        withLogs()(c);
        c.blobs.set('tmp1', Buffer.alloc(1));
      },
      'CLFSLoad, unfinished',
    ],
    [
      'a foreign blob',
      (c) => {
        withLogs()(c);
        c.blobs.set('a tmp', Buffer.alloc(1));
      },
      'unknown',
    ],
    ['version 11', versioned(11), 'unknown'],
    ['version 12', versioned(12), 'unknown; a cache has probably changed it (reading such containers is untested)'],
  ])('is who wrote it, by %s', async (_, change, writer) => {
    expect((await inspect(change)).writer).toBe(writer);
  });

  it('is of each kind and version how many there are', async () => {
    const { objects, versions, supersededObjects, otherBlobs } = await inspect((c) => {
      versioned(12)(c);
      c.blobs.set(encodeObjectNameV1(sampleBlockId(1), 9), Buffer.alloc(4));
      for (const type of [10, 12])
        c.blobs.set(encodeObjectName({ id: sampleBlockId(type), type, owner: ROOT_ID, version: 9 }), Buffer.alloc(4));
      c.blobs.set('foreign', Buffer.alloc(1));
    });
    expect(objects).toMatchObject({ regular: 33, 'version-1 object': 1, 'type 10': 1, 'type 12': 1 });
    expect(versions).toEqual({ 9: 63, 12: 1 });
    expect([supersededObjects, otherBlobs]).toEqual([1, 2]);
  });

  it('is how objects are compressed, those that cannot be told apart', async () => {
    const head = (text: string) => Buffer.from(text, 'hex');
    const { compression } = await inspect((c) => {
      const names = [...c.blobs.keys()].filter((name) => name.includes('.0008.'));
      for (const [at, blob] of [head('00000100'), head('01000100'), head('00000200'), head('000001')].entries())
        c.blobs.set(names[at], blob);
    });
    expect(compression).toEqual({ sampled: 61, lz4: 1, none: 57, encryptedOrUnknown: 3 });
  });

  it('leaves out what vanishes meanwhile, and ends with what is no fault of the container', async () => {
    const gone = blobNamed(whole, 'file').blob;
    const failing = (code: 'not-found' | 'access-denied') => (c: MemoryContainer) => {
      const get = c.get.bind(c);
      c.get = (name, limit) => (name === gone ? Promise.reject(new ClfsError(code, 'no')) : get(name, limit));
    };
    expect((await inspect(failing('not-found'))).compression.encryptedOrUnknown).toBe(1);
    await expect(inspect(failing('access-denied'))).rejects.toMatchObject({ code: 'access-denied' });
  });
});
