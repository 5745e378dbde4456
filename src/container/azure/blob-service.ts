import { setMaxListeners } from 'node:events';
import { ClfsError } from '../../error.js';
import { type Clock, systemClock } from '../../time/clock.js';
import { AdaptiveConcurrency } from '../concurrency.js';
import { connectionBound } from '../connection-bound.js';
import type { RateLimit } from '../rate-limit.js';
import type { Traffic } from '../traffic.js';
import type { BlobAnswer, BlobRequest } from './answer-handler.js';
import type { Authorization } from './authorization.js';
import { connectionText } from './classify-answer.js';
import { addressText, type ContainerAddress } from './container-url.js';
import { Sender } from './sender.js';
import { limitWithin, timeLimitOf } from './time-limits.js';
import { type Trouble, troubleOfAnswer, troubleOfError } from './trouble.js';

const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 30_000;
/** A host that has not answered at all for so long is told of. */
const WAITING_MS = 2000;
/** How long a refused token is given to be renewed, from its first refusal. */
const TOKEN_RENEWAL_MS = 30_000;
/** Bytes of a request beside its body, as the rate limit counts them. */
const HEAD_BYTES = 600;

/** How a {@link BlobService} behaves. */
export interface ServiceOptions {
  /** How long a request is tried again, in milliseconds, before it fails as `service-unavailable`. */
  readonly retryWindowMs: number;
  /** Number of requests in flight, lowered for a while where less is asked for; undefined: adapted. */
  readonly concurrency?: number;
  readonly traffic: Traffic;
  readonly rateLimit?: RateLimit;
  /** Holds what blobs and listings bring to a rate. */
  readonly readLimit?: RateLimit;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
  /** Asked right before each try of a put or a removal: whether it may be sent. */
  readonly maySend?: () => boolean;
  /** Told of every try that failed and will be repeated. */
  readonly onRetry?: (text: string) => void;
  /** Told of each answer, and of each change of the number of requests in flight: for a log that has everything. */
  readonly onDetail?: (text: string) => void;
  /** Told, in a whole sentence, when the host has not answered for two seconds, before it has answered at all. */
  readonly onWaiting?: (text: string) => void;
  /** For tests: by what the client's own time limits are multiplied. */
  readonly timeLimitFactor?: number;
}

/** Requests to one container, with retries, adaptive concurrency and a rate limit. */
export class BlobService {
  readonly #address: ContainerAddress;
  readonly #authorization: Authorization;
  readonly #options: ServiceOptions;
  readonly #clock: Clock;
  readonly #sender: Sender;
  readonly #concurrency: AdaptiveConcurrency;
  readonly #stopped = new AbortController();
  /** Aborted, with the reason, when a request is given up to which no other has had an answer: what waits then is too. */
  #waiting = waitingTogether();
  /** Answers that were of use. */
  #answers = 0;
  /** Requests that are repeated. */
  #failing = 0;
  /** Whether every request fails: one has, and none has had an answer of use since. */
  #isWaiting = false;
  /** What went wrong last, in brackets. */
  #lastTrouble = '';
  #firstAnswer: { cancel(): void } | 'awaited' | 'come' = 'awaited';

  constructor(address: ContainerAddress, authorization: Authorization, options: ServiceOptions) {
    this.#address = address;
    this.#authorization = authorization;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const most = connectionBound(options.traffic.slots);
    this.#concurrency = new AdaptiveConcurrency({
      fixed: options.concurrency,
      most,
      clock: this.#clock,
      onChange: options.onDetail,
    });
    this.#sender = new Sender(address, authorization, { ...options, clock: this.#clock, mostConnections: most });
    // Requests that wait for the rate limit have a listener each: many of them are no leak.
    setMaxListeners(0, this.#stopped.signal);
    options.signal?.addEventListener('abort', () => void this.close());
    if (options.signal?.aborted) void this.close();
  }

  /**
   * Sends a request until it is answered for good.
   *
   * @throws ClfsError as `Container` says; `exists` for 409 and 412 on a conditional create
   */
  send(request: BlobRequest): Promise<BlobAnswer> {
    const { signal } = this.#waiting;
    const wait = this.#concurrency.acquire();
    if (!wait) return this.#sendNow(request, signal);
    return wait.then(() => {
      if (!signal.aborted) return this.#sendNow(request, signal);
      this.#concurrency.release();
      throw signal.reason;
    });
  }

  /**
   * Makes one promise for a request that succeeds at once, as nearly all do: each further layer of promises makes small
   * files slower.
   */
  #sendNow(request: BlobRequest, givenUp: AbortSignal): Promise<BlobAnswer> {
    if (this.#firstAnswer === 'awaited') this.#awaitFirst();
    this.#options.traffic.setInFlight(1, this.#concurrency.limit);
    return new Promise((resolve, reject) => {
      const begun = performance.now();
      const outcome: Outcome = {
        final: (answer) => {
          this.#release(performance.now() - begun);
          resolve(answer);
        },
        trouble: (trouble) => {
          this.#repeat(request, trouble, givenUp)
            .finally(() => this.#release())
            .then(resolve, reject);
        },
        error: (error) => {
          this.#release();
          reject(error as Error);
        },
      };
      const turn = this.#rateTurn(request);
      if (turn) void turn.then(() => this.#try(request, 1, outcome));
      else this.#try(request, 1, outcome);
    });
  }

  #release(roundTripMs?: number): void {
    this.#concurrency.release(roundTripMs);
    this.#options.traffic.setInFlight(-1, this.#concurrency.limit);
  }

  /** A host that cannot be reached is silent for long: somebody is told, once. */
  #awaitFirst(): void {
    const { onWaiting, retryWindowMs } = this.#options;
    if (!onWaiting) {
      this.#firstAnswer = 'come';
      return;
    }
    this.#firstAnswer = this.#clock.after(WAITING_MS, () => {
      this.#firstAnswer = 'come';
      const end = Number.isFinite(retryWindowMs)
        ? `It is tried for ${Math.round(retryWindowMs / 1000)} s (--retry-window).`
        : 'It is tried without end.';
      onWaiting(
        `Waiting for ${addressText(this.#address)}: no answer yet after ${WAITING_MS / 1000} s${this.#lastTrouble}. ${end}`,
      );
    });
  }

  #firstHasCome(): void {
    if (typeof this.#firstAnswer === 'object') this.#firstAnswer.cancel();
    this.#firstAnswer = 'come';
  }

  /** Waits until the rate limit lets the request send; undefined when that is now. Its time limits begin after that. */
  #rateTurn({ body }: BlobRequest): Promise<void> | undefined {
    const { rateLimit } = this.#options;
    if (!body || !rateLimit) return undefined;
    const waitMs = rateLimit.reserve(body.length + HEAD_BYTES);
    return waitMs > 1 ? this.#clock.sleep(waitMs, this.#stopped.signal) : undefined;
  }

  /** Resolves when a request would not have to wait long; undefined when that is now. */
  ready(): Promise<void> | undefined {
    return this.#concurrency.ready();
  }

  /** Ends what is under way, with `cancelled`; nothing can be sent any more. */
  async close(): Promise<void> {
    this.#stopped.abort();
    this.#waiting.abort(stopped());
    this.#firstHasCome();
    await this.#sender.close(stopped());
  }

  /** @param givenUp aborted when the others that wait are given up */
  async #repeat(request: BlobRequest, firstTrouble: Trouble, givenUp: AbortSignal): Promise<BlobAnswer> {
    const begun = this.#clock.monotonic();
    const answers = this.#answers;
    let trouble = firstTrouble;
    let refusedSince: number | undefined;
    let refusals = 0;
    // Waiting for the rate limit, or for other requests that are answered, does not use up the retry window.
    let waitedMs = 0;
    const windowLeftMs = () => this.#options.retryWindowMs - (this.#clock.monotonic() - begun - waitedMs);
    this.#failing++;
    try {
      for (let attempt = 1; ; attempt++) {
        givenUp.throwIfAborted();
        this.#setWaiting(true);
        const now = this.#clock.monotonic();
        if (trouble.refusal) {
          refusedSince ??= now;
          refusals++;
          if (now - refusedSince > TOKEN_RENEWAL_MS) throw trouble.refusal;
        }
        const leftMs = windowLeftMs();
        if (leftMs <= 0) {
          const error = new ClfsError(
            'service-unavailable',
            `No usable answer from ${addressText(this.#address)} in ${attempt === 1 ? '1 try' : `${attempt} tries`} over ${Math.round((now - begun) / 1000)} s: ${trouble.text}. Check the URL and the network; --retry-window says how long it is tried.`,
            {
              cause: trouble.cause,
            },
          );
          if (this.#answers === answers) this.#giveUpWaiting(error);
          throw error;
        }
        // A token has little time to be renewed: also after long trouble of another kind, the first refusal is soon
        // followed by a try.
        const backOffMs = backOff(trouble.refusal ? refusals : attempt);
        const delayMs = Math.min(Math.max(backOffMs, trouble.retryAfterMs), leftMs);
        this.#options.traffic.add('retries', 1);
        this.#lastTrouble = ` (${trouble.text})`;
        this.#options.onRetry?.(
          `${request.method} ${request.blob || 'container'}: ${trouble.text}; trying again in ${(delayMs / 1000).toFixed(1)} s (try ${attempt + 1})`,
        );
        this.#concurrency.pause();
        await this.#clock.sleep(delayMs, givenUp);
        const [slept, answeredBefore] = [this.#clock.monotonic(), this.#answers];
        await this.#concurrency.resume();
        givenUp.throwIfAborted();
        const entered = this.#clock.monotonic();
        // Behind requests that nobody answers it is the service that is waited for.
        if (this.#answers !== answeredBefore) waitedMs += entered - slept;
        await this.#rateTurn(request);
        waitedMs += this.#clock.monotonic() - entered;
        const result = await new Promise<{ final: BlobAnswer } | { trouble: Trouble }>((resolve, reject) =>
          this.#try(
            request,
            attempt + 1,
            {
              final: (final) => resolve({ final }),
              trouble: (next) => resolve({ trouble: next }),
              error: reject,
            },
            windowLeftMs(),
          ),
        );
        if ('final' in result) return result.final;
        trouble = result.trouble;
      }
    } finally {
      if (--this.#failing === 0) this.#setWaiting(false);
    }
  }

  #setWaiting(waiting: boolean): void {
    if (this.#isWaiting === waiting) return;
    this.#isWaiting = waiting;
    this.#options.traffic.setWaitingSince(waiting ? this.#clock.now() : 0);
  }

  /**
   * The service has answered nobody for a whole window: who waits for a place, or for the next try, need not try for a
   * window too, one after the other. What is sent later begins anew.
   */
  #giveUpWaiting(error: ClfsError): void {
    const waiting = this.#waiting;
    this.#waiting = waitingTogether();
    waiting.abort(error);
  }

  /** Sends a request once; tells exactly one of `outcome`. @param windowLeftMs what is left of the retry window */
  #try(request: BlobRequest, attempt: number, outcome: Outcome, windowLeftMs = this.#options.retryWindowMs): void {
    const isHeld = request.method !== 'GET' && this.#options.maySend?.() === false;
    if (isHeld || this.#stopped.signal.aborted) {
      outcome.error(stopped());
      return;
    }
    const pacedMs = this.#sender.pacedMs(request.body);
    const own = timeLimitOf(request.body?.length ?? 0, attempt, pacedMs);
    const limit = request.method === 'GET' ? limitWithin(own, windowLeftMs) : own;
    // A put without an answer may still take effect for a while.
    const uncertain = () => {
      if (request.method === 'PUT')
        this.#options.traffic.setUncertainUntil(this.#clock.monotonic() + limit.serviceS * 1000);
    };
    const tell = (judge: () => Trouble) => {
      let trouble: Trouble;
      try {
        trouble = judge();
      } catch (error) {
        outcome.error(error);
        return;
      }
      if (trouble.uncertain) uncertain();
      if (trouble.tooMuch) this.#concurrency.lower();
      outcome.trouble(trouble);
    };
    const where = addressText(this.#address);
    const { onDetail } = this.#options;
    const begun = onDetail ? this.#clock.monotonic() : 0;
    const detail = (end: string) =>
      onDetail?.(
        `request: ${request.method} ${request.blob || 'container'}${request.query ? `?${request.query}` : ''}, ${request.body?.length ?? 0} bytes, try ${attempt}: ${end} in ${Math.round(this.#clock.monotonic() - begun)} ms`,
      );
    const onAnswer = (answer: BlobAnswer) => {
      if (onDetail) detail(`${answer.status}, ${answer.body.length} bytes`);
      if (this.#firstAnswer !== 'come') this.#firstHasCome();
      if (request.accept.includes(answer.status)) {
        this.#answers++;
        this.#setWaiting(false);
        outcome.final(answer);
        return;
      }
      if (answer.status === 429 || answer.status === 503) this.#options.traffic.add('throttled', 1);
      tell(() => troubleOfAnswer(request, answer, where, this.#authorization.bearer !== '', this.#clock.now()));
    };
    const onError = (error: unknown) => {
      if (onDetail) detail(connectionText(error));
      if (this.#stopped.signal.aborted) {
        uncertain();
        outcome.error(stopped());
      } else tell(() => troubleOfError(error, where));
    };
    this.#sender.send(request, limit, pacedMs, onAnswer, onError);
  }
}

function backOff(attempt: number): number {
  return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt - 1, 16)) * (0.5 + Math.random());
}

/** Each request that waits for its next try has a listener: many of them are no leak. */
function waitingTogether(): AbortController {
  const waiting = new AbortController();
  setMaxListeners(0, waiting.signal);
  return waiting;
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
