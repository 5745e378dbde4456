import { connect, createServer, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';

/** A proxy before a service on this machine, through which answers come slowly. */
export interface SlowProxy {
  readonly port: number;
  close(): Promise<void>;
}

/** Bytes that are passed on at once. */
const PIECE_BYTES = 16384;

/** Starts a proxy that passes so many bytes of answers a second, over all connections together. */
export async function startSlowProxy(target: number, bytesPerSecond: number): Promise<SlowProxy> {
  const sockets = new Set<Socket>();
  let freeAt = 0;
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      const end = () => {
        client.destroy();
        upstream.destroy();
        sockets.delete(socket);
      };
      socket.on('error', end).on('close', end);
    }
    client.pipe(upstream);
    void pass(upstream, client);
  });
  const pass = async (from: Socket, to: Socket) => {
    try {
      for await (const bytes of from as AsyncIterable<Buffer>) {
        for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
          const piece = bytes.subarray(at, at + PIECE_BYTES);
          const now = performance.now();
          freeAt = Math.max(now, freeAt) + (1000 * piece.length) / bytesPerSecond;
          if (freeAt - now > 1) await setTimeout(freeAt - now);
          to.write(piece);
        }
      }
    } catch {
      // One of both has gone away.
    }
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
