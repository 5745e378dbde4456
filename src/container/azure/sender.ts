import { createRequire } from 'node:module';
import type { Dispatcher, Pool } from 'undici';
// The pool alone loads in 22 ms, the whole of undici (with fetch, WebSocket, caches) in 55, in each thread.
import UndiciPool from 'undici/lib/dispatcher/pool.js';
import type { Clock } from '../../time/clock.js';
import { PACED_PIECE_BYTES, paced, type RateLimit } from '../rate-limit.js';
import type { Traffic } from '../traffic.js';
import { AnswerHandler, type BlobAnswer, type BlobRequest } from './answer-handler.js';
import type { Authorization } from './authorization.js';
import { createResettingConnector } from './connect.js';
import type { ContainerAddress } from './container-url.js';
import { longestPacedMs, type TimeLimit } from './time-limits.js';
import { timeOutError } from './trouble.js';

/** Version of the service's protocol that is spoken. */
const SERVICE_VERSION = '2021-12-02';
const CONNECT_TIMEOUT_MS = 10_000;

/** How a {@link Sender} sends. */
export interface SenderOptions {
  readonly traffic: Traffic;
  readonly rateLimit?: RateLimit;
  readonly readLimit?: RateLimit;
  readonly clock: Clock;
  readonly mostConnections: number;
  /** For tests: by what the client's own time limits are multiplied. */
  readonly timeLimitFactor?: number;
}

/** All of undici is loaded for a proxy only. */
function createProxied(options: Pool.Options): Dispatcher {
  const { EnvHttpProxyAgent } = createRequire(import.meta.url)('undici') as typeof import('undici');
  return new EnvHttpProxyAgent(options);
}

/** Connections to one container, by which each request is sent once. */
export class Sender {
  readonly #address: ContainerAddress;
  readonly #authorization: Authorization;
  readonly #options: SenderOptions;
  readonly #dispatcher: Dispatcher;

  constructor(address: ContainerAddress, authorization: Authorization, options: SenderOptions) {
    this.#address = address;
    this.#authorization = authorization;
    this.#options = options;
    const { mostConnections } = options;
    const pool: Pool.Options = {
      pipelining: 1,
      connect: createResettingConnector(CONNECT_TIMEOUT_MS),
      connections: Number.isFinite(mostConnections) ? mostConnections : null,
    };
    const proxied = ['https_proxy', 'HTTPS_PROXY', 'http_proxy', 'HTTP_PROXY'].some((name) => process.env[name]);
    this.#dispatcher = proxied ? createProxied(pool) : new UndiciPool(address.origin, pool);
  }

  /** Over how long the rate limit spreads a body, in milliseconds; 0 when it is sent as fast as it goes. */
  pacedMs(body: Uint8Array | undefined): number {
    const { rateLimit } = this.#options;
    if (!rateLimit || !body || body.length <= PACED_PIECE_BYTES) return 0;
    return Math.min(rateLimit.durationMs(body.length), longestPacedMs(body.length));
  }

  /** Sends a request. Exactly one of `onAnswer` and `onError` is told. @param pacedMs as {@link pacedMs} has it */
  send(
    request: BlobRequest,
    limit: TimeLimit,
    pacedMs: number,
    onAnswer: (answer: BlobAnswer) => void,
    onError: (error: unknown) => void,
  ): void {
    const { body, blob } = request;
    const { traffic, clock, timeLimitFactor = 1 } = this.#options;
    let { query } = this.#authorization;
    if (body) query = query === '' ? `timeout=${limit.serviceS}` : `timeout=${limit.serviceS}&${query}`;
    if (request.query) query = query === '' ? request.query : `${request.query}&${query}`;
    const headers = ['x-ms-version', SERVICE_VERSION, ...(request.headers ?? [])];
    // A body of known length gets its content-length from the client.
    if (body && pacedMs > 0) headers.push('content-length', String(body.length));
    if (this.#authorization.bearer) headers.push('authorization', `Bearer ${this.#authorization.bearer}`);
    const path = `${this.#address.path}${blob === '' ? '' : `/${encodeURIComponent(blob)}`}${query === '' ? '' : `?${query}`}`;
    traffic.add('requests', 1);
    traffic.add('bytesSent', path.length + 300 + (body?.length ?? 0));
    const clientMs = limit.clientMs * timeLimitFactor;
    const handler =
      pacedMs > 0 ? this.#limited(request, clientMs, onAnswer, onError) : this.#handler(request, onAnswer, onError);
    this.#dispatcher.dispatch(
      {
        origin: this.#address.origin,
        path,
        method: request.method,
        headers,
        body: body && pacedMs > 0 ? paced(body, pacedMs, clock) : ((body as Buffer | undefined) ?? null),
        headersTimeout: clientMs,
        bodyTimeout: clientMs,
      } as Dispatcher.DispatchOptions,
      handler,
    );
  }

  #handler(
    request: BlobRequest,
    onAnswer: (answer: BlobAnswer) => void,
    onError: (error: unknown) => void,
  ): AnswerHandler {
    const { readLimit: limit, clock } = this.#options;
    return new AnswerHandler(request, onAnswer, onError, limit && { limit, clock });
  }

  /** Breaks off what is under way, which fails with the reason; nothing can be sent any more. */
  async close(reason: Error): Promise<void> {
    await this.#dispatcher.destroy(reason);
  }

  /**
   * The client's time limit begins anew with each piece of a body that comes in pieces: such a request has a timer of
   * its own.
   */
  #limited(
    request: BlobRequest,
    clientMs: number,
    onAnswer: (answer: BlobAnswer) => void,
    onError: (error: unknown) => void,
  ): AnswerHandler {
    const timer = this.#options.clock.after(clientMs, () => handler.abort(timeOutError()));
    const handler = this.#handler(
      request,
      (answer) => {
        timer.cancel();
        onAnswer(answer);
      },
      (error) => {
        timer.cancel();
        onError(error);
      },
    );
    return handler;
  }
}
