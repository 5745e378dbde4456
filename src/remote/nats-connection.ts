import { type ConnectionOptions, connect, credsAuthenticator, type NatsConnection } from '@nats-io/transport-node';
import { ClfsError, messageOf } from '../error.js';
import type { NatsOptions } from './nats-options.js';

const CONNECT_MS = 5000;
const RECONNECT_MS = 500;

/**
 * Connects to a server; from then on again and again, without end.
 *
 * @param patient wait for a server that is not there yet
 * @throws ClfsError `workers` when there is none, or it refuses
 */
export async function connectNats(options: NatsOptions, name: string, patient: boolean): Promise<NatsConnection> {
  const { servers, tls, user, pass, token, credentials, inboxPrefix } = options;
  const wanted: ConnectionOptions = {
    servers: servers.split(','),
    name,
    timeout: CONNECT_MS,
    reconnectTimeWait: RECONNECT_MS,
    maxReconnectAttempts: -1,
    waitOnFirstConnect: patient,
    pingInterval: 5000,
    maxPingOut: 2,
    ignoreAuthErrorAbort: true,
    ignoreClusterUpdates: true,
    ...(tls ? { tls } : {}),
    ...(user === undefined ? {} : { user, pass }),
    ...(token === undefined ? {} : { token }),
    ...(credentials ? { authenticator: credsAuthenticator(credentials) } : {}),
    ...(inboxPrefix === undefined ? {} : { inboxPrefix }),
  };
  try {
    return await connect(wanted);
  } catch (cause) {
    throw new ClfsError(
      'workers',
      `Cannot reach the server of the workers at ${servers}: ${messageOf(cause)}. Is nats-server running there (with -js), and do CLFSLOAD_NATS_… say who connects?`,
      { cause },
    );
  }
}
