import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** Connections by which nobody has shown the token yet; the oldest goes when there are more. */
const MOST_STRANGERS = 64;
/** How long one may take to do so. */
const STRANGER_MS = 10_000;
/** Others, and how long one of them may be without a byte: what is told goes out once a second. */
const MOST_KNOWN = 192;
const SILENT_MS = 120_000;

/**
 * The connections of a page. Whoever is on this machine can open some, and keep them: no stranger takes the place of
 * somebody who may look, for more than a moment.
 */
export class Doorway {
  readonly #strangers = new Map<Socket, NodeJS.Timeout>();

  constructor(server: Server) {
    server.maxConnections = MOST_STRANGERS + MOST_KNOWN;
    // Node closes no connection by which nothing was asked at all.
    server.on('connection', (socket) => this.#arrived(socket));
  }

  /** Who asks by this connection has shown the token. */
  admit(socket: Socket): void {
    if (!this.#leave(socket)) return;
    socket.setTimeout(SILENT_MS, () => socket.destroy());
  }

  #arrived(socket: Socket): void {
    if (this.#strangers.size >= MOST_STRANGERS) {
      const [oldest] = this.#strangers.keys();
      oldest.destroy();
      this.#leave(oldest);
    }
    const timer = setTimeout(() => socket.destroy(), STRANGER_MS);
    this.#strangers.set(socket, timer.unref());
    socket.on('close', () => this.#leave(socket));
  }

  #leave(socket: Socket): boolean {
    clearTimeout(this.#strangers.get(socket));
    return this.#strangers.delete(socket);
  }
}
