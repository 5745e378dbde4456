import { setImmediate } from 'node:timers/promises';
import { ClfsError } from '../../error.js';
import type { BlobInfo, Container, PutOptions } from '../container.js';
import { LargeBuffers } from '../large-buffers.js';
import type { Authorization } from './authorization.js';
import { BlobService, type ServiceOptions } from './blob-service.js';
import type { ContainerAddress } from './container-url.js';
import { decodeListing } from './listing.js';
import { longestPutMs } from './time-limits.js';

const LIST_LIMIT_BYTES = 64 * 1048576;
const PUT_HEADERS = ['x-ms-blob-type', 'BlockBlob'];
const CREATE_HEADERS = [...PUT_HEADERS, 'if-none-match', '*'];
/** From this length on memory of a blob is used again. */
const LONG_BYTES = 1048576;
/** The largest object of the format, a segment with its header. */
const LARGEST_OBJECT_BYTES = 8 * 1048576 + 65536;

/** A container of Azure Blob Storage, or of a service that speaks its protocol. */
export class AzureContainer implements Container {
  readonly listsByPrefix = true;
  readonly lateArrivalMs: number;
  readonly #service: BlobService;
  readonly #options: ServiceOptions;
  readonly #buffers = new LargeBuffers();

  constructor(
    address: ContainerAddress,
    authorization: Authorization,
    options: ServiceOptions & { readonly lateArrivalMs?: number },
  ) {
    this.#service = new BlobService(address, authorization, options);
    this.#options = options;
    this.lateArrivalMs = options.lateArrivalMs ?? longestPutMs(LARGEST_OBJECT_BYTES);
  }

  get uncertainUntilMs(): number {
    return this.#options.traffic.uncertainUntilMs;
  }

  put(name: string, body: Uint8Array, options?: PutOptions): Promise<unknown> {
    return this.#service.send({
      method: 'PUT',
      blob: name,
      body,
      headers: options?.onlyNew ? CREATE_HEADERS : PUT_HEADERS,
      accept: CREATED,
    });
  }

  async get(name: string, limitBytes: number): Promise<Buffer> {
    const { body } = await this.#service.send({ method: 'GET', blob: name, accept: OK, limitBytes, room: this.#room });
    this.#options.traffic.add('bytesReceived', body.length);
    return body;
  }

  giveBack(blob: Buffer): void {
    if (blob.buffer.byteLength >= LONG_BYTES) this.#buffers.giveBack(blob);
  }

  readonly #room = (bytes: number) => (bytes >= LONG_BYTES ? this.#buffers.take(bytes) : Buffer.allocUnsafe(bytes));

  async *list(prefix: string): AsyncGenerator<readonly BlobInfo[]> {
    let marker = '';
    // Of markers that come again one stands here in the end: with each power of two as many follow before the next one.
    let known = '';
    let xml = await this.#page(prefix, marker);
    for (let pages = 1; ; pages++) {
      const first = pages === 1;
      const page = decodeListing(xml);
      if (page.marker !== '' && page.marker === known) throw wrongListing('its pages lead back to one that was read');
      if ((pages & (pages - 1)) === 0) known = page.marker;
      marker = page.marker;
      // A caller that wants a second page wants all of them: the next one is fetched while this one is used.
      const next = marker === '' || first ? undefined : this.#page(prefix, marker);
      next?.catch(() => undefined);
      if (next) await setImmediate();
      const foreign = page.blobs.find(({ name }) => !name.startsWith(prefix));
      if (foreign) throw wrongListing(`${JSON.stringify(foreign.name)} does not begin with ${JSON.stringify(prefix)}`);
      yield page.blobs;
      if (marker === '') return;
      xml = await (next ?? this.#page(prefix, marker));
    }
  }

  async #page(prefix: string, marker: string): Promise<Buffer> {
    const query = `restype=container&comp=list&maxresults=5000&prefix=${encodeURIComponent(prefix)}${marker === '' ? '' : `&marker=${encodeURIComponent(marker)}`}`;
    const { body } = await this.#service.send({
      method: 'GET',
      blob: '',
      query,
      accept: OK,
      limitBytes: LIST_LIMIT_BYTES,
    });
    return body;
  }

  async delete(name: string): Promise<void> {
    try {
      await this.#service.send({ method: 'DELETE', blob: name, accept: ACCEPTED });
    } catch (error) {
      if (!(error instanceof ClfsError && error.code === 'not-found')) throw error;
    }
  }

  ready(): Promise<void> | undefined {
    return this.#service.ready();
  }

  /** What the service has acknowledged is durable. */
  async flush(): Promise<void> {}

  async tidy(): Promise<void> {}

  async close(): Promise<void> {
    await this.#service.close();
  }
}

const CREATED = [201];
const OK = [200];
const ACCEPTED = [202];

function wrongListing(why: string): ClfsError {
  return new ClfsError(
    'service',
    `Cannot use the listing that the service sent: ${why}. Does the service speak the protocol of Azure Blob Storage?`,
  );
}
