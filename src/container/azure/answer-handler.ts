import type { Dispatcher } from 'undici';
import { ClfsError } from '../../error.js';
import type { Clock } from '../../time/clock.js';
import type { RateLimit } from '../rate-limit.js';

const MOST_ERROR_BYTES = 65536;

/** One request, relative to the container. */
export interface BlobRequest {
  readonly method: 'PUT' | 'GET' | 'HEAD' | 'DELETE';
  /** Blob name, not encoded; empty for the container itself. */
  readonly blob: string;
  /** Query fields, encoded, without `?`. */
  readonly query?: string;
  /** Names and values in turn. */
  readonly headers?: readonly string[];
  readonly body?: Uint8Array;
  /** Statuses that are an answer; all others are errors. */
  readonly accept: readonly number[];
  /**
   * Most bytes of an accepted answer that are taken; more is an error `format`. Of an error's answer the first 64 KiB
   * are taken.
   */
  readonly limitBytes?: number;
  /** Gives the memory of a long answer whose length was said. */
  room?(bytes: number): Buffer;
}

/** An accepted answer. */
export interface BlobAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** How fast an answer may come. */
export interface AnswerPace {
  readonly limit: RateLimit;
  readonly clock: Clock;
}

/** Collects the answer to one request, of a bounded length. */
export class AnswerHandler implements Dispatcher.DispatchHandler {
  readonly #request: BlobRequest;
  readonly #resolve: (answer: BlobAnswer) => void;
  readonly #reject: (error: unknown) => void;
  #status = 0;
  #headers: BlobAnswer['headers'] = {};
  #chunks: Buffer[] | undefined;
  /** Room for a long answer whose length was said: what comes is copied while it is at hand. */
  #whole: Buffer | undefined;
  #bytes = 0;
  #settled = false;
  #controller: Dispatcher.DispatchController | undefined;
  readonly #pace: AnswerPace | undefined;
  #pause: { cancel(): void } | undefined;

  /** @param pace undefined: as fast as it comes */
  constructor(
    request: BlobRequest,
    resolve: (answer: BlobAnswer) => void,
    reject: (error: unknown) => void,
    pace?: AnswerPace,
  ) {
    this.#request = request;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#pace = pace;
  }

  /** Breaks the request off. */
  abort(error: Error): void {
    this.#settle(() => this.#reject(error));
    this.#controller?.abort(error);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // The request was given up before there was a connection.
    if (this.#settled) controller.abort(new Error('the request was given up'));
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: BlobAnswer['headers']): void {
    this.#status = status;
    this.#headers = headers;
    const length = Number(headers['content-length']);
    const { accept, limitBytes = 0, room = Buffer.allocUnsafe } = this.#request;
    if (accept.includes(status) && length > LONG_BYTES && length <= limitBytes) this.#whole = room(length);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#settled) return;
    if (this.#pace) this.#waitAfter(chunk.length, this.#pace, controller);
    const isAccepted = this.#request.accept.includes(this.#status);
    const limitBytes = isAccepted ? (this.#request.limitBytes ?? MOST_ERROR_BYTES) : MOST_ERROR_BYTES;
    this.#bytes += chunk.length;
    if (this.#whole) {
      if (this.#bytes <= this.#whole.length) chunk.copy(this.#whole, this.#bytes - chunk.length);
      else controller.abort(new ClfsError('format', `${this.#what()} is longer than its answer said.`));
      return;
    }
    this.#chunks ??= [];
    if (this.#bytes <= limitBytes) {
      this.#chunks.push(chunk);
    } else if (isAccepted) {
      controller.abort(new ClfsError('format', `${this.#what()} is longer than the limit of ${limitBytes} bytes.`));
    } else {
      // The first bytes of an error page are enough; its status is what decides.
      this.#chunks.push(chunk.subarray(0, chunk.length - (this.#bytes - limitBytes)));
      this.onResponseEnd();
      controller.abort(new Error('the rest of an error page is not read'));
    }
  }

  /** No more is taken from the connection until the rate allows it: the other end sends no faster then. */
  #waitAfter(bytes: number, { limit, clock }: AnswerPace, controller: Dispatcher.DispatchController): void {
    const waitMs = limit.reserve(bytes) + limit.durationMs(bytes);
    if (waitMs <= 1) return;
    controller.pause();
    this.#pause = clock.after(waitMs, () => controller.resume());
  }

  onResponseEnd(): void {
    this.#settle(() =>
      this.#resolve({
        status: this.#status,
        headers: this.#headers,
        body: this.#whole?.subarray(0, this.#bytes) ?? (this.#chunks ? Buffer.concat(this.#chunks) : EMPTY),
      }),
    );
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#settle(() => this.#reject(error));
  }

  #settle(settle: () => void): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#pause?.cancel();
    settle();
  }

  #what(): string {
    return this.#request.blob === '' ? 'The listing of the container' : `The blob ${this.#request.blob}`;
  }
}

const EMPTY = Buffer.alloc(0);
/** From this length on an answer comes in several pieces. */
const LONG_BYTES = 65536;
