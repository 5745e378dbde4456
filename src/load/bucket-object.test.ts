import { describe, expect, it } from 'vitest';
import { MemoryContainer } from '../container/memory-container.js';
import { BUCKET_NAME } from '../format/names.js';
import { openLz4 } from '../lz4/lz4.js';
import { putBucket, readBucketUuid, requireOwnBucket } from './bucket-object.js';

const OURS = '1b4e28ba-2fa1-11d2-883f-0016d3cca427';
const OTHER = '6fa459ea-ee8a-3ca4-894e-db77e160355e';
const lz4 = openLz4();

describe('the bucket object of a job', () => {
  it('has the UUID that it was written with, also when it names logs', async () => {
    const container = new MemoryContainer();
    await putBucket(container, OURS, [], true);
    expect(await readBucketUuid(container, lz4)).toBe(OURS);
    await putBucket(container, OURS, ['log-1', 'log-2']);
    expect(await readBucketUuid(container, lz4)).toBe(OURS);
    await expect(requireOwnBucket(container, lz4, OURS, 'c')).resolves.toBeUndefined();
  });

  it('is never written over that of another job when a job begins', async () => {
    const container = new MemoryContainer();
    await putBucket(container, OTHER, [], true);
    await expect(putBucket(container, OURS, [], true)).rejects.toMatchObject({ code: 'exists' });
    expect(await readBucketUuid(container, lz4)).toBe(OTHER);
  });

  it('tells a container of another load, and one that was emptied, apart', async () => {
    const container = new MemoryContainer();
    const refusal = (uuid: string) => requireOwnBucket(container, lz4, uuid, 'http://host/c');
    await expect(refusal(OURS)).rejects.toMatchObject({
      code: 'container-other',
      message: expect.stringMatching(/"http:\/\/host\/c" has no bucket object: it was emptied/) as string,
    });
    await putBucket(container, OTHER, []);
    await expect(refusal(OURS)).rejects.toMatchObject({
      code: 'container-other',
      message: expect.stringContaining('belongs to another load') as string,
    });
  });

  it('that is damaged is an error, not one that is missing', async () => {
    const container = new MemoryContainer();
    await putBucket(container, OURS, []);
    const whole = await container.get(BUCKET_NAME, 1048576);
    await container.put(BUCKET_NAME, whole.subarray(0, 10));
    await expect(requireOwnBucket(container, lz4, OURS, 'c')).rejects.toMatchObject({
      code: 'container-other',
      message: expect.stringContaining(`bucket object, ${BUCKET_NAME}, is damaged`) as string,
    });
  });
});
