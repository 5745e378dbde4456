import {
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  errors,
  type NatsConnection,
} from '@nats-io/transport-node';
import { ClfsError, messageOf } from '../error.js';
import { systemClock } from '../time/clock.js';
import type { NatsOptions } from './nats-options.js';

const CONNECT_MS = 5000;
const RECONNECT_MS = 500;
/** A server that does not answer three of them is away: known sooner than a lease ends, so that workers are not blamed. */
const PING_MS = 1000;
/** Tasks and results go in pieces; answers to what lanes ask for, and the set-up of a job, do not. */
export const LEAST_BYTES = 131_072;

/** Bytes that a message may have: where the server is away, as many as any server lets one have. */
export function longestBytesOf({ info }: NatsConnection): number {
  return info?.max_payload ?? LEAST_BYTES;
}

/** How somebody waits for a server that is not there yet. */
export interface Patience {
  /** Ends the waiting. */
  readonly signal: AbortSignal;
  /** Told once that the server does not answer. */
  report(text: string): void;
}

/**
 * Connects to a server; from then on again and again, without end.
 *
 * @param patience wait for a server that is not there yet
 * @returns undefined when the waiting was ended
 * @throws ClfsError `workers` when there is none and nobody waits, or it refuses
 */
export async function connectNats(
  options: NatsOptions,
  name: string,
  patience: Patience,
): Promise<NatsConnection | undefined>;
export async function connectNats(options: NatsOptions, name: string): Promise<NatsConnection>;
export async function connectNats(
  options: NatsOptions,
  name: string,
  patience?: Patience,
): Promise<NatsConnection | undefined> {
  const { servers, tls, user, pass, token, credentials, inboxPrefix } = options;
  const wanted: ConnectionOptions = {
    servers: servers.split(','),
    name,
    timeout: CONNECT_MS,
    reconnectTimeWait: RECONNECT_MS,
    maxReconnectAttempts: -1,
    pingInterval: PING_MS,
    maxPingOut: 2,
    ignoreAuthErrorAbort: true,
    ignoreClusterUpdates: true,
    ...(tls ? { tls } : {}),
    ...(user === undefined ? {} : { user, pass }),
    ...(token === undefined ? {} : { token }),
    ...(credentials ? { authenticator: credsAuthenticator(credentials) } : {}),
    ...(inboxPrefix === undefined ? {} : { inboxPrefix }),
  };
  for (let tries = 1; patience?.signal.aborted !== true; tries++) {
    try {
      return await connect(wanted);
    } catch (cause) {
      const text = `Cannot reach the server of the workers at ${servers}: ${messageOf(cause)}. Is nats-server running there (with -js), and do CLFSLOAD_NATS_… say who connects?`;
      if (!patience || cause instanceof errors.AuthorizationError) throw new ClfsError('workers', text, { cause });
      if (tries === 1) patience.report(`${text} It is tried again and again.`);
      await systemClock.sleep(RECONNECT_MS, patience.signal);
    }
  }
  return undefined;
}
