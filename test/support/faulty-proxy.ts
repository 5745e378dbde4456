import { connect, createServer, type Server, type Socket } from 'node:net';
import { randomNumbers } from './tree.js';

/** What the proxy does to a request. */
const PROXY_FAULTS = ['reset before', 'reset after', 'stall', 'truncate', 'garbage', '503', '500', 'delay'] as const;

/** A proxy that lets most requests pass, and does something to the rest. */
export interface FaultyProxy {
  readonly port: number;
  /** How often each fault happened. */
  readonly counts: Record<string, number>;
  close(): Promise<void>;
}

/** Starts a proxy before a service at `target` that harms `share` of the connections' requests. */
export async function startFaultyProxy(target: number, share: number, seed: number): Promise<FaultyProxy> {
  const next = randomNumbers(seed);
  const counts: Record<string, number> = {};
  const sockets = new Set<Socket>();
  const server: Server = createServer((client) => {
    sockets.add(client);
    const upstream = connect(target, '127.0.0.1');
    sockets.add(upstream);
    const end = () => {
      client.destroy();
      upstream.destroy();
      sockets.delete(client);
      sockets.delete(upstream);
    };
    for (const socket of [client, upstream]) socket.on('error', end).on('close', end);
    let fault: string | undefined;
    const pick = () => {
      fault = (next() % 1000) / 1000 < share ? PROXY_FAULTS[next() % PROXY_FAULTS.length] : undefined;
      if (fault) counts[fault] = (counts[fault] ?? 0) + 1;
    };
    client.on('data', (bytes) => {
      // A request begins where its method stands.
      if (/^(PUT|GET|DELETE|HEAD) /.test(bytes.toString('latin1', 0, 8))) pick();
      switch (fault) {
        case 'reset before':
          client.resetAndDestroy();
          return;
        case '503':
        case '500':
          client.end(`HTTP/1.1 ${fault} Fault\r\nContent-Length: 0\r\nRetry-After: 0\r\nConnection: close\r\n\r\n`);
          upstream.destroy();
          return;
        case 'garbage':
          client.end('this is no HTTP at all\r\n\r\n');
          upstream.destroy();
          return;
        case 'stall':
          // The request is swallowed; the connection breaks after a while.
          setTimeout(end, 400).unref();
          return;
        default:
          upstream.write(bytes);
      }
    });
    upstream.on('data', (bytes) => {
      if (fault === 'reset after') client.resetAndDestroy();
      else if (fault === 'truncate') client.end(bytes.subarray(0, Math.floor(bytes.length / 2)));
      else if (fault === 'delay') setTimeout(() => client.writable && client.write(bytes), 150).unref();
      else client.write(bytes);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as { port: number }).port,
    counts,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
