import { setImmediate } from 'node:timers/promises';
import { ClfsError, messageOf } from '../../error.js';
import type { BlobInfo, Container, PutOptions } from '../container.js';
import { type Authorization, BlobService, type ServiceOptions } from './blob-service.js';
import type { ContainerAddress } from './container-url.js';

const LIST_LIMIT_BYTES = 64 * 1048576;
const PUT_HEADERS = ['x-ms-blob-type', 'BlockBlob'];
const CREATE_HEADERS = [...PUT_HEADERS, 'if-none-match', '*'];
/** Longest that a put which was given up may go on at the service: its own time limit there, or that of a gateway before it. */
const LATE_ARRIVAL_MS = 120_000;

/** A container of Azure Blob Storage, or of a service that speaks its protocol. */
export class AzureContainer implements Container {
  readonly listsByPrefix = true;
  readonly lateArrivalMs: number;
  readonly #service: BlobService;
  readonly #options: ServiceOptions;

  constructor(address: ContainerAddress, authorization: Authorization, options: ServiceOptions & { readonly lateArrivalMs?: number }) {
    this.#service = new BlobService(address, authorization, options);
    this.#options = options;
    this.lateArrivalMs = options.lateArrivalMs ?? LATE_ARRIVAL_MS;
  }

  get lastUncertainPutMs(): number {
    return this.#options.traffic.lastUncertainPutMs;
  }

  put(name: string, body: Uint8Array, options?: PutOptions): Promise<unknown> {
    return this.#service.send({ method: 'PUT', blob: name, body, headers: options?.onlyNew ? CREATE_HEADERS : PUT_HEADERS, accept: CREATED });
  }

  async get(name: string, limitBytes: number): Promise<Buffer> {
    const { body } = await this.#service.send({ method: 'GET', blob: name, accept: OK, limitBytes });
    return body;
  }

  async *list(prefix: string): AsyncGenerator<readonly BlobInfo[]> {
    let xml = await this.#page(prefix, '');
    for (let first = true; ; first = false) {
      const marker = await decodeMarker(xml);
      // Whoever wants a second page wants them all: the next one is on its way while this one is taken apart.
      const next = marker === '' || first ? undefined : this.#page(prefix, marker);
      next?.catch(() => undefined);
      if (next) await setImmediate();
      yield await decodeListing(xml);
      if (marker === '') return;
      xml = await (next ?? this.#page(prefix, marker));
    }
  }

  async #page(prefix: string, marker: string): Promise<Buffer> {
    const query = `restype=container&comp=list&maxresults=5000&prefix=${encodeURIComponent(prefix)}${marker === '' ? '' : `&marker=${encodeURIComponent(marker)}`}`;
    const { body } = await this.#service.send({ method: 'GET', blob: '', query, accept: OK, limitBytes: LIST_LIMIT_BYTES });
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

interface ListingXml {
  readonly EnumerationResults?: {
    readonly Blobs?: '' | { readonly Blob?: readonly { readonly Name: string | { '#text': string }; readonly Properties?: { 'Content-Length'?: string } }[] };
    readonly NextMarker?: string;
  };
}

const MARKER_AT_END = /<NextMarker>[^<]*<\/NextMarker>\s*(?=<\/EnumerationResults>\s*$)/;
/** A marker and the end of a listing fit into so much. */
const MARKER_TAIL_BYTES = 16384;

/** The marker of the next page alone, from the end of a listing; empty on the last page. */
async function decodeMarker(xml: Buffer): Promise<string> {
  const tail = MARKER_AT_END.exec(xml.toString('utf8', Math.max(0, xml.length - MARKER_TAIL_BYTES)))?.[0];
  const results = await parseXml(tail === undefined ? xml.toString('utf8') : `<EnumerationResults>${tail}</EnumerationResults>`);
  return results.NextMarker ?? '';
}

async function decodeListing(xml: Buffer): Promise<readonly BlobInfo[]> {
  const { Blobs } = await parseXml(xml.toString('utf8'));
  const blobs = Blobs ? (Blobs.Blob ?? []) : [];
  return blobs.map((blob) => ({
    name: typeof blob.Name === 'string' ? blob.Name : blob.Name['#text'],
    sizeBytes: Number(blob.Properties?.['Content-Length'] ?? 0),
  }));
}

async function parseXml(text: string): Promise<NonNullable<ListingXml['EnumerationResults']>> {
  const { XMLParser } = await import('fast-xml-parser');
  const parser = new XMLParser({ parseTagValue: false, ignoreAttributes: true, isArray: (name) => name === 'Blob', processEntities: true });
  let results: ListingXml['EnumerationResults'] | '' | undefined;
  try {
    ({ EnumerationResults: results } = parser.parse(text) as { EnumerationResults?: ListingXml['EnumerationResults'] | '' });
  } catch (error) {
    throw new ClfsError('service', `The service sent a listing that is not XML: ${messageOf(error)}.`, { cause: error });
  }
  if (results === undefined)
    throw new ClfsError('service', 'The service sent something else than a listing. Is the URL that of a container of Azure Blob Storage?');
  return results === '' ? {} : results;
}
