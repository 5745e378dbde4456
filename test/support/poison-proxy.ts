import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A way to a service on which some bodies are poison. */
export interface PoisonProxy {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Passes requests on to a service of this machine; a put whose body holds `poison` gets no answer.
 *
 * @param onPoison told of the `worker` field of its URL; what it is worth is up to the caller
 */
export async function startPoisonProxy(
  target: number,
  poison: () => string | undefined,
  onPoison: (worker: string) => void,
): Promise<PoisonProxy> {
  const server = createServer((incoming, answer) => {
    const url = new URL(incoming.url ?? '/', 'http://localhost');
    const pieces: Buffer[] = [];
    incoming.on('data', (piece: Buffer) => pieces.push(piece));
    incoming.on('end', () => {
      const body = Buffer.concat(pieces);
      const marker = poison();
      if (marker !== undefined && incoming.method === 'PUT' && body.includes(marker)) {
        onPoison(url.searchParams.get('worker') ?? '');
        incoming.socket.destroy();
        return;
      }
      const path = (incoming.url ?? '').replace(/[&?]worker=\w+/, '');
      const { method, headers } = incoming;
      const onward = request({ port: target, host: '127.0.0.1', path, method, headers }, (reply) => {
        answer.writeHead(reply.statusCode ?? 500, reply.rawHeaders);
        reply.pipe(answer);
      });
      onward.on('error', () => incoming.socket.destroy());
      onward.end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
