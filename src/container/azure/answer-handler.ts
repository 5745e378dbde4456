import type { Dispatcher } from 'undici';
import { ClfsError } from '../../error.js';

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
  /** Most bytes of an answer that are taken; more is an error `format`. */
  readonly limitBytes?: number;
}

/** An accepted answer. */
export interface BlobAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** Collects the answer to one request, of a bounded length. */
export class AnswerHandler implements Dispatcher.DispatchHandler {
  readonly #request: BlobRequest;
  readonly #resolve: (answer: BlobAnswer) => void;
  readonly #reject: (error: unknown) => void;
  #status = 0;
  #headers: BlobAnswer['headers'] = {};
  #chunks: Buffer[] | undefined;
  #bytes = 0;

  constructor(request: BlobRequest, resolve: (answer: BlobAnswer) => void, reject: (error: unknown) => void) {
    this.#request = request;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Tells the client that this handler is of its present kind. */
  onRequestStart(): void {}

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: BlobAnswer['headers']): void {
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length;
    const limitBytes = this.#request.accept.includes(this.#status) ? (this.#request.limitBytes ?? MOST_ERROR_BYTES) : MOST_ERROR_BYTES;
    if (this.#bytes > limitBytes) {
      controller.abort(new ClfsError('format', `The blob ${this.#request.blob} is longer than the limit of ${limitBytes} bytes.`));
      return;
    }
    this.#chunks ??= [];
    this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.#resolve({ status: this.#status, headers: this.#headers, body: this.#chunks ? Buffer.concat(this.#chunks) : EMPTY });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#reject(error);
  }
}

const EMPTY = Buffer.alloc(0);
