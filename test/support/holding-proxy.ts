import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A way to a service that can hold back what one host puts. */
export interface HoldingProxy {
  readonly port: number;
  /** Puts that were answered, of all hosts. */
  readonly puts: number;
  /** Puts of one host that were answered. */
  putsOf(address: string): number;
  /** Puts of this address are taken from here on, and neither passed on nor answered. */
  hold(address: string): void;
  /** Names of blobs whose puts are held. */
  readonly held: readonly string[];
  /** Lets everything arrive that was held. @returns names of the blobs that the service has taken then */
  release(): Promise<readonly string[]>;
  close(): Promise<void>;
}

interface Held {
  readonly blob: string;
  pass(): Promise<number>;
}

/** Passes requests on from an address of this machine to a service at 127.0.0.1. */
export async function startHoldingProxy(host: string, target: number): Promise<HoldingProxy> {
  const putsBy = new Map<string | undefined, number>();
  let heldAddress: string | undefined;
  let held: Held[] = [];
  const server = createServer((incoming, answer) => {
    const pieces: Buffer[] = [];
    incoming.on('error', () => undefined);
    incoming.on('data', (piece: Buffer) => pieces.push(piece));
    incoming.on('end', () => {
      const { method, headers, url: path = '/' } = incoming;
      const from = incoming.socket.remoteAddress;
      const pass = () =>
        new Promise<number>((resolve) => {
          const onward = request({ port: target, host: '127.0.0.1', path, method, headers }, (reply) => {
            answer.writeHead(reply.statusCode ?? 500, reply.rawHeaders);
            reply.pipe(answer);
            if (method === 'PUT') putsBy.set(from, (putsBy.get(from) ?? 0) + 1);
            reply.on('end', () => resolve(reply.statusCode ?? 500));
          });
          onward.on('error', () => {
            incoming.socket.destroy();
            resolve(0);
          });
          onward.end(Buffer.concat(pieces));
        });
      const isHeld = method === 'PUT' && from === heldAddress;
      if (isHeld) held.push({ blob: new URL(path, 'http://localhost').pathname.split('/').at(-1) ?? '', pass });
      else void pass();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    get puts() {
      return [...putsBy.values()].reduce((sum, puts) => sum + puts, 0);
    },
    putsOf: (address) => putsBy.get(address) ?? 0,
    hold(address) {
      heldAddress = address;
    },
    get held() {
      return held.map(({ blob }) => blob);
    },
    async release() {
      const late = held;
      held = [];
      heldAddress = undefined;
      const statuses = await Promise.all(late.map(({ pass }) => pass()));
      return late.filter((_, at) => statuses[at] === 201).map(({ blob }) => blob);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
