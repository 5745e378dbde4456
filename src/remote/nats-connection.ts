import {
  type Authenticator,
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  errors,
  type NatsConnection,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node';
import { ClfsError, messageOf } from '../error.js';
import { systemClock } from '../time/clock.js';
import type { NatsOptions } from './nats-options.js';
import { identityOf } from './server-identity.js';

const CONNECT_MS = 5000;
const LEAST_CONNECT_MS = 2000;
const RECONNECT_MS = 500;
/** A server that does not answer three of them is away: known sooner than a lease ends, so that workers are not blamed. */
const PING_MS = 1000;
/** Tasks and results go in pieces; answers to what lanes ask for, and the set-up of a job, do not. */
export const LEAST_BYTES = 131_072;

/**
 * Bytes that a message in pieces may have: no more where the server takes longer ones, since another one may take its
 * place that does not.
 */
export function longestBytesOf({ info }: NatsConnection): number {
  return Math.min(LEAST_BYTES, info?.max_payload ?? LEAST_BYTES);
}

/** @throws Error when the server takes short messages only */
export function requireLongEnough({ info }: NatsConnection): void {
  if (info && info.max_payload < LEAST_BYTES) throw new Error(`its messages have ${info.max_payload} bytes at most`);
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
  const urls = servers.split(',');
  const authenticator: Authenticator[] = [];
  if (user !== undefined) authenticator.push(usernamePasswordAuthenticator(user, pass));
  if (credentials) authenticator.push(credsAuthenticator(credentials));
  // What is there beside what the client knows goes to TLS as it is.
  const identified = { checkServerIdentity: identityOf(servers) };
  const wanted: ConnectionOptions = {
    servers: urls,
    name,
    // It asks one after the other.
    timeout: Math.max(LEAST_CONNECT_MS, CONNECT_MS / urls.length),
    reconnectTimeWait: RECONNECT_MS,
    maxReconnectAttempts: -1,
    pingInterval: PING_MS,
    maxPingOut: 2,
    ignoreAuthErrorAbort: true,
    ignoreClusterUpdates: true,
    // Where a question was asked is of no use, and costs as much as the question.
    noAsyncTraces: true,
    ...(tls ? { tls: { ...tls, ...identified } } : {}),
    ...(token === undefined ? {} : { token }),
    ...(authenticator.length > 0 ? { authenticator } : {}),
    ...(inboxPrefix === undefined ? {} : { inboxPrefix }),
  };
  for (let tries = 1; patience?.signal.aborted !== true; tries++) {
    try {
      return await unlessAborted(patience?.signal, connect(wanted));
    } catch (cause) {
      const text = `Cannot reach the server of the workers at ${servers}: ${messageOf(cause)}. ${adviceOn(messageOf(cause), tls !== undefined)}`;
      if (!patience || cause instanceof errors.AuthorizationError) throw new ClfsError('workers', text, { cause });
      if (tries === 1) patience.report(`${text} It is tried again and again.`);
      await systemClock.sleep(RECONNECT_MS, patience.signal);
    }
  }
  return undefined;
}

/** What to do about a server that cannot be reached. */
function adviceOn(reason: string, byTls: boolean): string {
  if (/certificate|self.signed|altnames/i.test(reason))
    return 'CLFSLOAD_NATS_CA names a file with who has signed the certificate of the server, which must be for the name by which it is called here; CLFSLOAD_NATS_CERT and CLFSLOAD_NATS_KEY name those of the client.';
  const isItThere = 'Is nats-server running there (with -js), and do CLFSLOAD_NATS_… say who connects?';
  if (!byTls || reason !== 'timeout') return isItThere;
  return `${isItThere} One that does not take the certificate of the client, or misses it (CLFSLOAD_NATS_CERT, CLFSLOAD_NATS_KEY), says so in its own log alone.`;
}

/** @returns undefined when the signal was aborted first: what comes of it then is closed */
async function unlessAborted(
  signal: AbortSignal | undefined,
  connecting: Promise<NatsConnection>,
): Promise<NatsConnection | undefined> {
  if (!signal) return connecting;
  let abort: () => void = () => undefined;
  const aborted = new Promise<undefined>((resolve) => {
    abort = () => resolve(undefined);
    signal.addEventListener('abort', abort);
  });
  try {
    const connection = await Promise.race([connecting, aborted]);
    if (!connection) void connecting.then((late) => late.close()).catch(() => undefined);
    return connection;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
