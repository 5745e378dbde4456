import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readdirSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { longestPacedMs, longestPutMs, timeLimitOf } from '../src/container/azure/time-limits.js';
import { troubleOfError } from '../src/container/azure/trouble.js';
import { AdaptiveConcurrency } from '../src/container/concurrency.js';
import { connectionBound } from '../src/container/connection-bound.js';
import { createRateLimit } from '../src/container/rate-limit.js';
import { Traffic } from '../src/container/traffic.js';
import { systemClock } from '../src/time/clock.js';
import { answerWith, fastClock, PatientClock, scriptedServices } from './support/slow-service.js';

const start = scriptedServices();

const megabytes = (count: number) => Buffer.alloc(count * 1_000_000, 'some bytes ');

describe('a refused token', () => {
  it('is given its time from the first refusal, not from earlier trouble', async () => {
    const clock = new PatientClock();
    const statuses = [...Array<number>(12).fill(503), 401, 401, 401, 201];
    const begun = clock.monotonic();
    let firstRefusal = 0;
    const { open } = await start((request, response) => {
      const status = statuses.shift() ?? 500;
      if (status === 401) firstRefusal ||= clock.monotonic();
      answerWith(request, response, status);
    });
    const container = await open({ clock, bearer: 'token' });
    await container.put('a', Buffer.from('a'));
    expect(firstRefusal - begun).toBeGreaterThan(30_000);
    // A token that was renewed in the meantime is tried soon.
    expect(clock.monotonic() - firstRefusal).toBeLessThan(5000);
    expect(statuses).toEqual([]);
    await container.close();
  });

  it('is final after its time', async () => {
    const clock = new PatientClock();
    const begun = clock.monotonic();
    const { open } = await start((request, response) => answerWith(request, response, 401));
    const container = await open({ clock, bearer: 'token', retryWindowMs: 86_400_000 });
    await expect(container.put('a', Buffer.from('a'))).rejects.toMatchObject({ code: 'access-denied' });
    expect(clock.monotonic() - begun).toBeGreaterThan(30_000);
    expect(clock.monotonic() - begun).toBeLessThan(120_000);
    await container.close();
  });
});

describe('a put that was given up', () => {
  it('can take effect for the longest of all, not for the last one', async () => {
    const clock = new PatientClock();
    let fail = true;
    const { open } = await start((request, response) => {
      if (fail) request.socket.resetAndDestroy();
      else answerWith(request, response, 201);
      fail = !fail;
    });
    const container = await open({ clock });
    expect(container.uncertainUntilMs).toBe(0);
    await container.put('large', megabytes(8));
    const large = container.uncertainUntilMs;
    expect(large).toBeGreaterThan(clock.monotonic() + 60_000);
    fail = true;
    await container.put('small', Buffer.from('a'));
    expect(container.uncertainUntilMs).toBe(large);
    await container.close();
  });

  it('is on a clock that does not jump', async () => {
    const clock = new PatientClock();
    let fail = true;
    const { open } = await start((request, response) => {
      answerWith(request, response, fail ? 500 : 201);
      fail = false;
    });
    const container = await open({ clock });
    await container.put('small', Buffer.from('a'));
    const { serviceS } = timeLimitOf(1, 1);
    expect(container.uncertainUntilMs).toBeGreaterThan(0);
    expect(Math.abs(container.uncertainUntilMs - clock.monotonic())).toBeLessThanOrEqual(serviceS * 1000);
    await container.close();
  });

  it('is certain not to take effect when no connection came about', async () => {
    const scripted = await start(() => undefined);
    const container = await scripted.open({ clock: new PatientClock(), retryWindowMs: 2000 });
    await scripted.close();
    await expect(container.put('a', Buffer.from('a'))).rejects.toMatchObject({ code: 'service-unavailable' });
    expect(container.uncertainUntilMs).toBe(0);
    await container.close();
  });

  it('joins the bounds of all threads', () => {
    const main = new Traffic(3);
    const threads = [new Traffic(main.memory, 1), new Traffic(main.memory, 2)];
    threads[0].setUncertainUntil(500);
    threads[1].setUncertainUntil(300);
    threads[0].setUncertainUntil(400);
    expect(main.uncertainUntilMs).toBe(500);
    expect(main.slots).toBe(3);
  });
});

describe('the time limit of a put', () => {
  it('is never above the longest', () => {
    fc.assert(
      fc.property(
        fc.nat(64 * 1048576),
        fc.nat(64 * 1048576),
        fc.integer({ min: 1, max: 50 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (a, b, attempt, share) => {
          const [bytes, largest] = a < b ? [a, b] : [b, a];
          const { serviceS, clientMs } = timeLimitOf(bytes, attempt, share * longestPacedMs(bytes));
          expect(clientMs).toBeLessThanOrEqual(longestPutMs(largest));
          expect(serviceS * 1000).toBeLessThan(clientMs);
        },
      ),
    );
  });

  it('is at most 240 s for the largest object, and what is waited for by default', async () => {
    const largest = 8 * 1048576 + 65536;
    expect(longestPutMs(largest)).toBe(235_000);
    const { open } = await start(() => undefined);
    const container = await open();
    expect(container.lateArrivalMs).toBe(longestPutMs(largest));
    await container.close();
  });

  it('is told to the service, and grows once', async () => {
    const asked: (string | null)[] = [];
    const { open } = await start((request, response) => {
      asked.push(new URL(request.url ?? '', 'http://x').searchParams.get('timeout'));
      answerWith(request, response, asked.length < 4 ? 500 : 201);
    });
    const container = await open({ clock: new PatientClock() });
    await container.put('a', megabytes(8));
    expect(asked).toEqual(['105', '210', '210', '210']);
    await container.close();
  });
});

describe('a slow link', () => {
  /**
   * Bytes of all requests share `bytesPerMs`; a request that takes longer than `limitMs` is answered as the service
   * answers.
   */
  function sharedLink(bytesPerMs: number, limitMs: number) {
    const counts = { timedOut: 0, stored: 0, most: 0, lately: [] as number[] };
    const open = new Set<{
      leftBytes: number;
      readonly sinceMs: number;
      readonly end: (status: number, code: string) => void;
    }>();
    let last = performance.now();
    const timer = setInterval(() => {
      const now = performance.now();
      const share = (bytesPerMs * (now - last)) / Math.max(1, open.size);
      last = now;
      for (const put of open) {
        put.leftBytes -= share;
        if (put.leftBytes > 0 && now - put.sinceMs < limitMs) continue;
        open.delete(put);
        put.end(put.leftBytes > 0 ? 500 : 201, put.leftBytes > 0 ? 'OperationTimedOut' : '');
        counts[put.leftBytes > 0 ? 'timedOut' : 'stored']++;
      }
    }, 2);
    const answer = (request: IncomingMessage, response: ServerResponse) => {
      request.resume().once('end', () => {
        const end = (status: number, code: string) =>
          response.writeHead(status, code === '' ? {} : { 'x-ms-error-code': code }).end();
        open.add({ leftBytes: Number(request.headers['content-length']), sinceMs: performance.now(), end });
        counts.most = Math.max(counts.most, open.size);
        counts.lately.push(open.size);
      });
    };
    return { counts, answer, stop: () => clearInterval(timer) };
  }

  it.each([undefined, 16])(
    'gets fewer requests at once when they time out together, and all arrive: concurrency %s',
    async (concurrency) => {
      // Sixteen at once take 800 ms each, and the service gives each 200, which stand for 105 s: no more than four may
      // be under way together.
      const link = sharedLink(2000, 200);
      const { open } = await start(link.answer);
      const container = await open({ clock: fastClock(500), retryWindowMs: 86_400_000, concurrency });
      await Promise.all(Array.from({ length: 30 }, (_, i) => container.put(`put-${i}`, Buffer.alloc(100_000))));
      link.stop();
      expect(link.counts.timedOut).toBeGreaterThanOrEqual(12);
      expect(link.counts.most).toBeGreaterThan(8);
      expect(link.counts.stored).toBe(30);
      expect(Math.max(...link.counts.lately.slice(-10))).toBeLessThanOrEqual(4);
      await container.close();
    },
  );

  it.each([undefined, 16])('is given less too when the client gives up: concurrency %s', async (concurrency) => {
    let open = 0;
    const seen: number[] = [];
    let timedOut = 0;
    const scripted = await start((request, response) => {
      request.resume();
      open++;
      seen.push(open);
      let over = false;
      const end = () => {
        if (!over) open--;
        over = true;
      };
      response.once('close', end);
      // A link on which no more than two get through in time.
      if (open <= 2) setTimeout(() => response.writeHead(201).end(), 20);
    });
    const container = await scripted.open({
      clock: fastClock(500),
      timeLimitFactor: 0.01,
      retryWindowMs: 86_400_000,
      concurrency,
      onRetry: (text) => {
        if (text.includes('in time')) timedOut++;
      },
    });
    await Promise.all(Array.from({ length: 24 }, (_, i) => container.put(`put-${i}`, Buffer.alloc(1000))));
    expect(timedOut).toBeGreaterThan(8);
    expect(Math.max(...seen)).toBeGreaterThan(8);
    expect(Math.max(...seen.slice(-5))).toBeLessThanOrEqual(4);
    await container.close();
  });

  it('does not use up the retry window by waiting behind others', async () => {
    const clock = new PatientClock();
    let troubles = 5 * 16;
    let stored = 0;
    let lateTrouble = 0;
    const { open } = await start((request, response) => {
      request.resume().once('end', () => {
        if (troubles > 0) {
          troubles--;
          response.writeHead(503).end();
          return;
        }
        // One at a time by now. Each takes 100 s, so that the last has waited for 1,500; its window is 600.
        void clock.sleep(100_000);
        if (stored === 15 && lateTrouble === 0) {
          lateTrouble++;
          response.writeHead(503).end();
          return;
        }
        stored++;
        response.writeHead(201).end();
      });
    });
    const container = await open({ clock, retryWindowMs: 600_000 });
    await Promise.all(Array.from({ length: 16 }, (_, i) => container.put(`put-${i}`, Buffer.alloc(1000))));
    expect({ stored, lateTrouble }).toEqual({ stored: 16, lateTrouble: 1 });
    await container.close();
  });

  it('a put that waits for its turn under a rate limit has its whole time limit left', async () => {
    const limitMs = 1500;
    let timedOut = 0;
    let stored = 0;
    const { open, traffic } = await start((request, response) => {
      // The service's time counts from when it sees the request.
      const timer = setTimeout(() => {
        timedOut++;
        response.writeHead(500, { 'x-ms-error-code': 'OperationTimedOut' }).end();
      }, limitMs);
      request.resume().once('end', () => {
        clearTimeout(timer);
        if (response.writableEnded) return;
        stored++;
        response.writeHead(201).end();
      });
    });
    // 12 puts of 0.25 s each: sent in turns of 64 KiB, each would take 3 s.
    const container = await open({ rateLimit: () => createRateLimit(8, traffic) });
    const begun = performance.now();
    await Promise.all(Array.from({ length: 12 }, (_, i) => container.put(`put-${i}`, Buffer.alloc(250_000))));
    expect({ timedOut, stored }).toEqual({ timedOut: 0, stored: 12 });
    expect(performance.now() - begun).toBeGreaterThan(2600);
    await container.close();
  });

  it('a stop ends the wait for a turn, and leaves nothing uncertain', async () => {
    const { open, traffic } = await start((request, response) => answerWith(request, response, 201));
    const controller = new AbortController();
    const container = await open({ rateLimit: () => createRateLimit(0.001, traffic), signal: controller.signal });
    await container.put('first', Buffer.from('a'));
    const second = container.put('second', Buffer.from('b'));
    controller.abort();
    await expect(second).rejects.toMatchObject({ code: 'cancelled' });
    expect(container.uncertainUntilMs).toBe(0);
  });
});

describe('an error page', () => {
  it.each([502, 503])('of any length on a %i is trouble that is tried again', async (status) => {
    const pages = ['x'.repeat(65_536), 'x'.repeat(65_537), 'x'.repeat(5_000_000)];
    let count = 0;
    const { open } = await start((request, response) => {
      const page = pages.shift();
      if (page !== undefined) count++;
      answerWith(request, response, page === undefined ? 201 : status, '', page);
    });
    const retries: string[] = [];
    const container = await open({ clock: new PatientClock(), onRetry: (text) => retries.push(text) });
    await container.put('a', Buffer.from('a'));
    expect(count).toBe(3);
    expect(retries).toHaveLength(3);
    for (const retry of retries) expect(retry).toContain(`the service answered ${status}`);
    await container.close();
  });

  it('of great length keeps the code that stands at its beginning', async () => {
    const { open } = await start((request, response) =>
      answerWith(
        request,
        response,
        404,
        '',
        `<Error><Code>ContainerNotFound</Code><Message>${'x'.repeat(1_000_000)}</Message></Error>`,
      ),
    );
    const container = await open();
    await expect(container.put('a', Buffer.from('a'))).rejects.toMatchObject({ code: 'container-missing' });
    await container.close();
  });
});

describe('a fixed number of requests in flight', () => {
  it('is lowered where less is asked for, and comes back to what it was, never beyond', () => {
    let nowMs = 0;
    const clock = { ...systemClock, monotonic: () => nowMs };
    const fixed = new AdaptiveConcurrency({ fixed: 40, clock });
    const succeed = (roundTripMs: number) => {
      const held = Array.from({ length: fixed.limit }, () => fixed.acquire());
      for (const _ of held) fixed.release(roundTripMs);
    };
    // A round trip that climbs is no reason.
    for (let round = 0; round < 50; round++) succeed(round + 1);
    expect(fixed.limit).toBe(40);
    for (const expected of [20, 10, 5, 2, 1, 1]) {
      fixed.lower();
      fixed.lower();
      expect(fixed.limit).toBe(expected);
      nowMs += 10_000;
    }
    let highest = 0;
    for (let round = 0; round < 2000; round++) {
      succeed(10);
      highest = Math.max(highest, fixed.limit);
    }
    expect([fixed.limit, highest]).toEqual([40, 40]);
  });
});

describe('descriptors', () => {
  it('are taken for connections up to half of what the process may open', () => {
    const limits = (soft: string) =>
      `Limit                     Soft Limit           Hard Limit           Units     \nMax open files            ${soft.padEnd(20)} 524288               files     \n`;
    expect(connectionBound(1, limits('1024'))).toBe(512);
    expect(connectionBound(5, limits('1024'))).toBe(102);
    expect(connectionBound(64, limits('64'))).toBe(1);
    expect(connectionBound(2, limits('unlimited'))).toBe(Number.POSITIVE_INFINITY);
    expect(connectionBound(2, '')).toBe(256);
    expect(connectionBound(1)).toBeGreaterThan(0);
  });

  it('bound adapted and fixed concurrency', () => {
    expect(new AdaptiveConcurrency({ most: 3 }).limit).toBe(3);
    expect(new AdaptiveConcurrency({ most: 3, fixed: 9 }).limit).toBe(3);
    expect(new AdaptiveConcurrency({ fixed: 400 }).limit).toBe(400);
    const grown = new AdaptiveConcurrency({ most: 20 });
    for (let request = 0; request < 10_000; request++) {
      const held = Array.from({ length: grown.limit }, () => grown.acquire());
      for (const _ of held) grown.release(0.1);
    }
    expect(grown.limit).toBe(20);
  });

  it.each(['EMFILE', 'ENFILE'])('that have run out (%s) are trouble that asks for less, and never final', (code) => {
    const error = Object.assign(new Error(`connect ${code} 1.2.3.4:443`), { code });
    expect(troubleOfError(error, 'x')).toMatchObject({ tooMuch: true, uncertain: false });
  });

  it('that have run out are waited for', async () => {
    const { open } = await start((request, response) => answerWith(request, response, 201));
    let seen = 0;
    const container = await open({
      clock: fastClock(20),
      onRetry: (text) => {
        if (!text.includes('EMFILE')) return;
        seen++;
        for (const fd of taken.splice(0)) closeSync(fd);
      },
    });
    const taken: number[] = [];
    const restore = limitOpenFiles(readdirSync('/proc/self/fd').length + 60);
    try {
      expect(() => {
        for (;;) taken.push(openSync('/dev/null', 'r'));
      }).toThrow(/EMFILE/);
      await Promise.all(Array.from({ length: 10 }, (_, i) => container.put(`put-${i}`, Buffer.from('a'))));
    } finally {
      for (const fd of taken) closeSync(fd);
      restore();
    }
    expect(seen).toBeGreaterThan(0);
    expect(container.uncertainUntilMs).toBe(0);
    await container.close();
  });
});

/** Sets how many files this process may open; returns what sets it back. */
function limitOpenFiles(count: number): () => void {
  const prlimit = (...args: string[]) =>
    execFileSync('prlimit', [`--pid=${process.pid}`, ...args], { encoding: 'utf8' });
  const before = prlimit('--nofile', '--raw', '--noheadings', '--output=SOFT').trim();
  prlimit(`--nofile=${count}:`);
  return () => void prlimit(`--nofile=${before}:`);
}
