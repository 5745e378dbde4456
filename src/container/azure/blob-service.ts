import { createRequire } from 'node:module';
import type { Dispatcher, Pool } from 'undici';
// The pool alone loads in 22 ms, the whole of undici (with fetch, WebSocket, caches) in 55, in each thread.
import UndiciPool from 'undici/lib/dispatcher/pool.js';
import { ClfsError } from '../../error.js';
import { type Clock, systemClock } from '../clock.js';
import { AdaptiveConcurrency } from '../concurrency.js';
import { PACED_PIECE_BYTES, type RateLimit } from '../rate-limit.js';
import type { Traffic } from '../traffic.js';
import { AnswerHandler, type BlobAnswer, type BlobRequest } from './answer-handler.js';
import { connectionText, errorCode, errorMessage, isPermanent, retryAfterMs } from './answer-text.js';
import { addressText, type ContainerAddress } from './container-url.js';

/** Version of the service's protocol that is spoken. */
const SERVICE_VERSION = '2021-12-02';
const CONNECT_TIMEOUT_MS = 10_000;
/** Time that the service and the client give one request, and more for each MiB of body. */
const REQUEST_TIMEOUT_S = 30;
const REQUEST_TIMEOUT_S_PER_MIB = 10;
const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 30_000;
const RETRIED_STATUS = new Set([408, 429, 500, 502, 503, 504]);
/** How long a refused token is given to be renewed. */
const TOKEN_RENEWAL_MS = 30_000;

/** All of undici is loaded for a proxy only. */
function createProxied(options: Pool.Options): Dispatcher {
  const { EnvHttpProxyAgent } = createRequire(import.meta.url)('undici') as typeof import('undici');
  return new EnvHttpProxyAgent(options);
}

/** What every request carries to be let in; the owner may change it at any time. */
export interface Authorization {
  /** Query fields, such as a SAS without its `?`. */
  query: string;
  /** An access token; empty when there is none. */
  bearer: string;
}

/** How a {@link BlobService} behaves. */
export interface ServiceOptions {
  /** How long a request is tried again, in milliseconds, before it fails as `service-unavailable`. */
  readonly retryWindowMs: number;
  /** Number of requests in flight; undefined: adapted. */
  readonly concurrency?: number;
  readonly traffic: Traffic;
  readonly rateLimit?: RateLimit;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
  /** Told of every try that failed and will be repeated. */
  readonly onRetry?: (text: string) => void;
}

/** Requests to one container, with retries, adaptive concurrency and a rate limit. */
export class BlobService {
  readonly #address: ContainerAddress;
  readonly #authorization: Authorization;
  readonly #options: ServiceOptions;
  readonly #clock: Clock;
  readonly #dispatcher: Dispatcher;
  readonly #concurrency: AdaptiveConcurrency;
  readonly #stopped = new AbortController();
  #failing = 0;

  constructor(address: ContainerAddress, authorization: Authorization, options: ServiceOptions) {
    this.#address = address;
    this.#authorization = authorization;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#concurrency = new AdaptiveConcurrency(options.concurrency);
    const pool = { pipelining: 1, connect: { timeout: CONNECT_TIMEOUT_MS } };
    const proxied = ['https_proxy', 'HTTPS_PROXY', 'http_proxy', 'HTTP_PROXY'].some((name) => process.env[name]);
    this.#dispatcher = proxied ? createProxied(pool) : new UndiciPool(address.origin, pool);
    options.signal?.addEventListener('abort', () => void this.close());
  }

  /**
   * Sends a request until it is answered for good.
   *
   * @throws ClfsError as `Container` says; `exists` for 409 and 412 on a conditional create
   */
  send(request: BlobRequest): Promise<BlobAnswer> {
    const wait = this.#concurrency.acquire();
    return wait ? wait.then(() => this.#sendNow(request)) : this.#sendNow(request);
  }

  /** One promise for a request that succeeds at once, as nearly all do: each layer of promises is seen in the time of a small file. */
  #sendNow(request: BlobRequest): Promise<BlobAnswer> {
    return new Promise((resolve, reject) => {
      const begun = performance.now();
      const again = (trouble: Trouble) => {
        this.#repeat(request, trouble)
          .finally(() => this.#concurrency.release())
          .then(resolve, reject);
      };
      const fail = (error: unknown) => {
        this.#concurrency.release();
        reject(error as Error);
      };
      this.#try(request, 1, {
        final: (answer) => {
          this.#concurrency.release(performance.now() - begun);
          resolve(answer);
        },
        trouble: again,
        error: fail,
      });
    });
  }

  /** Resolves when a request would not have to wait long; undefined when that is now. */
  ready(): Promise<void> | undefined {
    return this.#concurrency.ready();
  }

  /** Ends what is under way, with `cancelled`; nothing can be sent any more. */
  async close(): Promise<void> {
    this.#stopped.abort();
    await this.#dispatcher.destroy(stopped());
  }

  async #repeat(request: BlobRequest, firstTrouble: Trouble): Promise<BlobAnswer> {
    const begun = this.#clock.now();
    let trouble = firstTrouble;
    if (this.#failing++ === 0) this.#options.traffic.set('waitingSince', begun);
    try {
      for (let attempt = 1; ; attempt++) {
        const leftMs = this.#options.retryWindowMs - (this.#clock.now() - begun);
        if (trouble.refusal && this.#clock.now() - begun > TOKEN_RENEWAL_MS) throw trouble.refusal;
        if (leftMs <= 0) {
          throw new ClfsError('service-unavailable', `No usable answer from ${addressText(this.#address)} for ${attempt} tries: ${trouble.text}.`, {
            cause: trouble.cause,
          });
        }
        const backOffMs = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt - 1, 16)) * (0.5 + Math.random());
        const delayMs = Math.min(Math.max(backOffMs, trouble.retryAfterMs), leftMs);
        this.#options.traffic.add('retries', 1);
        this.#options.onRetry?.(
          `${request.method} ${request.blob || 'container'}: ${trouble.text}; trying again in ${(delayMs / 1000).toFixed(1)} s (try ${attempt + 1})`,
        );
        await this.#clock.sleep(delayMs, this.#stopped.signal);
        const result = await new Promise<{ final: BlobAnswer } | { trouble: Trouble }>((resolve, reject) =>
          this.#try(request, attempt + 1, { final: (final) => resolve({ final }), trouble: (next) => resolve({ trouble: next }), error: reject }),
        );
        if ('final' in result) return result.final;
        trouble = result.trouble;
      }
    } finally {
      if (--this.#failing === 0) this.#options.traffic.set('waitingSince', 0);
    }
  }

  /** Sends a request once; tells exactly one of `outcome`. */
  #try(request: BlobRequest, attempt: number, outcome: Outcome): void {
    const timeoutS = requestTimeoutS(request, attempt);
    // A put without an answer may still take effect for a while.
    const uncertain = () => {
      if (request.method === 'PUT') this.#options.traffic.set('uncertainPut', this.#clock.now() + timeoutS * 1000);
    };
    const onAnswer = (answer: BlobAnswer) => {
      if (request.accept.includes(answer.status)) {
        outcome.final(answer);
        return;
      }
      let trouble: Trouble;
      try {
        trouble = this.#judge(request, answer);
      } catch (error) {
        outcome.error(error);
        return;
      }
      if (answer.status >= 500) uncertain();
      outcome.trouble(trouble);
    };
    const onError = (error: unknown) => {
      if (this.#stopped.signal.aborted) {
        uncertain();
        outcome.error(stopped());
      } else if (error instanceof ClfsError) outcome.error(error);
      else if (isPermanent(error)) {
        outcome.error(new ClfsError('service', `Cannot reach ${addressText(this.#address)}: ${connectionText(error)}.`, { cause: error }));
      } else {
        uncertain();
        outcome.trouble({ text: connectionText(error), retryAfterMs: 0, cause: error });
      }
    };
    if (this.#stopped.signal.aborted) outcome.error(stopped());
    else this.#dispatch(request, timeoutS, onAnswer, onError);
  }

  /** What a refused request means: something to try again, or an error that is thrown. */
  #judge(request: BlobRequest, answer: BlobAnswer): Trouble {
    const { status } = answer;
    const code = errorCode(answer);
    const text = `the service answered ${status}${code ? ` ${code}` : ''}`;
    if (status === 429 || status === 503) {
      this.#options.traffic.add('throttled', 1);
      this.#concurrency.throttled(this.#clock.now());
    }
    if (RETRIED_STATUS.has(status) || (status >= 200 && status < 300)) return { text, retryAfterMs: retryAfterMs(answer, this.#clock.now()), cause: undefined };
    const where = addressText(this.#address);
    if (code === 'ContainerNotFound' || code === 'ContainerBeingDeleted' || code === 'ContainerDisabled' || (status === 404 && request.blob === '')) {
      throw new ClfsError('container-missing', `The container ${where} does not exist (${text}). Create it, or check the URL.`);
    }
    if (status === 404) throw new ClfsError('not-found', `There is no blob ${request.blob} in ${where}.`);
    if (status === 401 || status === 403) {
      const { bearer } = this.#authorization;
      const advice =
        bearer === ''
          ? 'Check that the SAS has not expired and grants reading, writing, listing and deleting.'
          : 'Check that the identity has the role "Storage Blob Data Contributor".';
      const refusal = new ClfsError('access-denied', `${where} refused access (${text}). ${advice}`);
      // A token that has just expired is about to be replaced by its owner.
      if (bearer !== '' && (status === 401 || code === 'AuthenticationFailed' || code === 'InvalidAuthenticationInfo'))
        return { text, retryAfterMs: 0, cause: undefined, refusal };
      throw refusal;
    }
    if (status === 412 || (status === 409 && code === 'BlobAlreadyExists')) throw new ClfsError('exists', `The blob ${request.blob} exists (${text}).`);
    throw new ClfsError('service', `${where} refused ${request.method} ${request.blob}: ${text}. ${errorMessage(answer)}`.trim());
  }

  #dispatch(request: BlobRequest, timeoutS: number, onAnswer: (answer: BlobAnswer) => void, onError: (error: unknown) => void): void {
    const { body, blob } = request;
    const { traffic, rateLimit } = this.#options;
    let { query } = this.#authorization;
    if (body) query = query === '' ? `timeout=${timeoutS}` : `timeout=${timeoutS}&${query}`;
    if (request.query) query = query === '' ? request.query : `${request.query}&${query}`;
    const headers = ['x-ms-version', SERVICE_VERSION, ...(request.headers ?? [])];
    // A body of known length gets its content-length from the client.
    if (body && rateLimit) headers.push('content-length', String(body.length));
    if (this.#authorization.bearer) headers.push('authorization', `Bearer ${this.#authorization.bearer}`);
    const path = `${this.#address.path}${blob === '' ? '' : `/${encodeURIComponent(blob)}`}${query === '' ? '' : `?${query}`}`;
    traffic.add('requests', 1);
    traffic.add('bytesSent', path.length + 300 + (body?.length ?? 0));
    this.#dispatcher.dispatch(
      {
        origin: this.#address.origin,
        path,
        method: request.method,
        headers,
        body: body && rateLimit ? paced(body, rateLimit) : ((body as Buffer | undefined) ?? null),
        headersTimeout: (timeoutS + 5) * 1000,
        bodyTimeout: (timeoutS + 5) * 1000,
      } as Dispatcher.DispatchOptions,
      new AnswerHandler(request, onAnswer, onError),
    );
  }
}

function stopped(): ClfsError {
  return new ClfsError('cancelled', 'The job was stopped.');
}

/** What becomes of one try. */
interface Outcome {
  final(answer: BlobAnswer): void;
  trouble(trouble: Trouble): void;
  error(error: unknown): void;
}

interface Trouble {
  readonly text: string;
  readonly retryAfterMs: number;
  readonly cause: unknown;
  /** An answer that is worth few repetitions: the error that it becomes. */
  readonly refusal?: ClfsError;
}

async function* paced(body: Uint8Array, rateLimit: RateLimit): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < body.length; at += PACED_PIECE_BYTES) {
    const piece = body.subarray(at, at + PACED_PIECE_BYTES);
    await rateLimit.take(piece.length + (at === 0 ? 600 : 0));
    yield piece;
  }
}

/** Each try gets longer, so that a slow link is not cut off again and again. */
function requestTimeoutS(request: BlobRequest, attempt: number): number {
  const mebibytes = Math.ceil((request.body?.length ?? 0) / 1048576);
  return (REQUEST_TIMEOUT_S + REQUEST_TIMEOUT_S_PER_MIB * mebibytes) * Math.min(attempt, 4);
}
