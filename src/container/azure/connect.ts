import type { Socket } from 'node:net';
import type { buildConnector } from 'undici';
// Alone: the whole of undici takes long to load.
import createConnector from 'undici/lib/core/connect.js';

/** What Node's sockets have for `resetAndDestroy`, which waits until all is written. */
interface Resettable {
  resetAndClosing?: boolean;
}

/**
 * Makes connections that are reset when they are given up.
 *
 * A connection that is closed otherwise goes on sending what the kernel has taken from it, for minutes where the network
 * is away: a put that was given up would reach the service after the time in which it may take effect. Of a process that
 * is killed the kernel sends the rest for 103 s, by Linux's default of eight retries; what it can hold by default (4 MiB)
 * and the time limit of such a put end before `longestPutMs`.
 *
 * Behind a proxy they are not: undici's agent for proxies makes its connections by itself, and what the proxy has taken it
 * sends on.
 *
 * @param timeoutMs how long a connection, and its encryption, may each take to be made
 */
export function createResettingConnector(timeoutMs: number): buildConnector.connector {
  const connect = createConnector({ timeout: timeoutMs });
  return (options, callback) => {
    if (options.protocol !== 'https:') {
      connect(options, (...[error, socket]) => {
        if (error) callback(error, null);
        else callback(null, resetWhenDestroyed(socket, socket));
      });
      return;
    }
    connect({ ...options, protocol: 'http:', port: options.port || '443' }, (...[error, plain]) => {
      if (error) callback(error, null);
      else
        connect({ ...options, httpSocket: plain }, (...[refused, encrypted]) => {
          if (refused) callback(refused, null);
          else callback(null, resetWhenDestroyed(encrypted, plain));
        });
    });
  };
}

/** @param connection what carries the socket: itself, or what is beneath its encryption */
function resetWhenDestroyed<S extends Socket>(socket: S, connection: Socket & Resettable): S {
  const destroy = socket.destroy.bind(socket);
  socket.destroy = (error) => {
    connection.resetAndClosing = true;
    return destroy(error);
  };
  return socket;
}
