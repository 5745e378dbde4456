import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

/** One request for a container that a {@link BlobServer} has. */
export interface AskedFor {
  /** Empty for a listing. */
  readonly blob: string;
  /** How many blobs have been asked for, this one included. */
  readonly count: number;
  readonly response: ServerResponse;
}

/** A service with the container that a directory holds. */
export interface BlobServer {
  /** URL of the container. */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves a container on disk as a blob service does.
 *
 * @param answers may answer in place of the service @returns whether it has
 */
export async function startBlobServer(
  directory: string,
  answers: (request: AskedFor) => boolean = () => false,
): Promise<BlobServer> {
  let count = 0;
  const server = createServer((request, response) => {
    request.resume();
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    const blob = decodeURIComponent(pathname.split('/')[3] ?? '');
    if (blob !== '') count++;
    if (answers({ blob, count, response })) return;
    if (blob !== '') {
      response.end(readFileSync(join(directory, blob)));
      return;
    }
    const names = readdirSync(directory).filter((name) => name.startsWith(searchParams.get('prefix') ?? ''));
    const blobs = names.map((name) => {
      const length = statSync(join(directory, name)).size;
      return `<Blob><Name>${name}</Name><Properties><Content-Length>${length}</Content-Length></Properties></Blob>`;
    });
    response.end(`<EnumerationResults><Blobs>${blobs.join('')}</Blobs><NextMarker/></EnumerationResults>`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/account/container?sv=1&sig=x`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
