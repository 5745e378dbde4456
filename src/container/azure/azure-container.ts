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
    let marker = '';
    do {
      const query = `restype=container&comp=list&maxresults=5000&prefix=${encodeURIComponent(prefix)}${marker === '' ? '' : `&marker=${encodeURIComponent(marker)}`}`;
      const { body } = await this.#service.send({ method: 'GET', blob: '', query, accept: OK, limitBytes: LIST_LIMIT_BYTES });
      const page = await decodeListing(body);
      yield page.blobs;
      marker = page.nextMarker;
    } while (marker !== '');
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

interface ListingPage {
  readonly blobs: readonly BlobInfo[];
  readonly nextMarker: string;
}

interface ListingXml {
  EnumerationResults?: {
    Blobs?: '' | { Blob?: { Name: string | { '#text': string }; Properties?: { 'Content-Length'?: string } }[] };
    NextMarker?: string;
  };
}

async function decodeListing(xml: Buffer): Promise<ListingPage> {
  const { XMLParser } = await import('fast-xml-parser');
  const parser = new XMLParser({ parseTagValue: false, ignoreAttributes: true, isArray: (name) => name === 'Blob', processEntities: true });
  let results: ListingXml['EnumerationResults'];
  try {
    results = (parser.parse(xml.toString('utf8')) as ListingXml).EnumerationResults;
  } catch (error) {
    throw new ClfsError('service', `The service sent a listing that is not XML: ${messageOf(error)}.`, { cause: error });
  }
  if (!results) throw new ClfsError('service', 'The service sent something else than a listing. Is the URL that of a container of Azure Blob Storage?');
  const blobs = results.Blobs ? (results.Blobs.Blob ?? []) : [];
  return {
    blobs: blobs.map((blob) => ({
      name: typeof blob.Name === 'string' ? blob.Name : blob.Name['#text'],
      sizeBytes: Number(blob.Properties?.['Content-Length'] ?? 0),
    })),
    nextMarker: results.NextMarker ?? '',
  };
}
