import { ClfsError } from '../error.js';
import type { Container, PutOptions } from './container.js';

/** A container in memory: for tests. */
export class MemoryContainer implements Container {
  readonly blobs = new Map<string, Buffer>();
  readonly listsByPrefix = true;
  readonly lateArrivalMs = 0;
  readonly uncertainUntilMs = 0;

  async put(name: string, body: Uint8Array, options?: PutOptions): Promise<void> {
    if (options?.onlyNew && this.blobs.has(name)) throw new ClfsError('exists', `The blob ${name} exists.`);
    this.blobs.set(name, Buffer.from(body));
  }

  async get(name: string, limitBytes: number): Promise<Buffer> {
    const blob = this.blobs.get(name);
    if (!blob) throw new ClfsError('not-found', `There is no blob ${name}.`);
    if (blob.length > limitBytes)
      throw new ClfsError('format', `The blob ${name} has ${blob.length} bytes, over the limit of ${limitBytes}.`);
    return Buffer.from(blob);
  }

  async *list(prefix: string): AsyncGenerator<readonly { name: string; sizeBytes: number }[]> {
    yield [...this.blobs]
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, blob]) => ({ name, sizeBytes: blob.length }));
  }

  async delete(name: string): Promise<void> {
    this.blobs.delete(name);
  }

  ready(): Promise<void> | undefined {
    return undefined;
  }

  async flush(): Promise<void> {}
  async tidy(): Promise<void> {}
  async close(): Promise<void> {}
}
