import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach } from 'vitest';
import type { Container } from '../../src/container/container.js';
import { openContainer, parseContainer } from '../../src/container/open-container.js';
import type { RateLimit } from '../../src/container/rate-limit.js';
import { Traffic } from '../../src/container/traffic.js';
import type { Clock } from '../../src/time/clock.js';
import { systemClock } from '../../src/time/clock.js';

/** Answers every request. */
type Script = (request: IncomingMessage, response: ServerResponse) => void;

/** A stand-in for the service whose answers a test decides. */
interface ScriptedService {
  /** A container of it. */
  open(options?: OpenOptions): Promise<Container>;
  readonly traffic: Traffic;
  close(): Promise<void>;
}

interface OpenOptions {
  readonly clock?: Clock;
  readonly retryWindowMs?: number;
  readonly bearer?: string;
  readonly timeLimitFactor?: number;
  readonly concurrency?: number;
  readonly rateLimit?: (traffic: Traffic) => RateLimit;
  readonly onRetry?: (text: string) => void;
  readonly signal?: AbortSignal;
}

/** Starts a service for a test, which ends with it. To be called once in a file of tests. */
export function scriptedServices(): (answer: Script) => Promise<ScriptedService> {
  let service: ScriptedService | undefined;
  afterEach(async () => {
    await service?.close();
    service = undefined;
  });
  return async (answer) => {
    service = await startScriptedService(answer);
    return service;
  };
}

/** Starts a server that hands every request to `answer`. */
async function startScriptedService(answer: Script): Promise<ScriptedService> {
  const server = createServer({ requestTimeout: 0 }, answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const traffic = new Traffic(1);
  return {
    traffic,
    open({ bearer = '', rateLimit, ...options } = {}) {
      const { place, query } = parseContainer(
        `http://127.0.0.1:${port}/account/container${bearer === '' ? '?sv=1&sig=x' : ''}`,
      );
      return openContainer(
        place,
        { query, bearer },
        { retryWindowMs: 600_000, traffic, ...options, rateLimit: rateLimit?.(traffic) },
      );
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Answers with a status, once the body has come. */
export function answerWith(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  code = '',
  body: string | Buffer = '',
): void {
  request
    .resume()
    .once('end', () => response.writeHead(status, code === '' ? {} : { 'x-ms-error-code': code }).end(body));
}

/** A clock on which waiting takes no time. */
export class PatientClock implements Clock {
  #ms = 5_000_000;
  now(): number {
    return 1_800_000_000_000 - this.#ms;
  }
  monotonic(): number {
    return this.#ms;
  }
  async sleep(delayMs: number): Promise<void> {
    this.#ms += delayMs;
    await new Promise((resolve) => setImmediate(resolve));
  }
  after(delayMs: number, call: () => void): { cancel(): void } {
    return systemClock.after(delayMs, call);
  }
}

/** A clock that runs `factor` times as fast as the system's. */
export function fastClock(factor: number): Clock {
  return {
    now: () => Date.now(),
    monotonic: () => systemClock.monotonic() * factor,
    sleep: (delayMs, signal) => systemClock.sleep(delayMs / factor, signal),
    after: (delayMs, call) => systemClock.after(delayMs / factor, call),
  };
}
