import { describe, expect, it } from 'vitest';
import { answerWith, fastClock, PatientClock, scriptedServices } from './support/slow-service.js';

const start = scriptedServices();

/** A window of 20 s takes one. */
const FACTOR = 20;
const WINDOW_MS = 20_000;

describe('a service that is away', () => {
  it.each([1, 16, undefined])(
    'is waited for one window by all requests together: concurrency %s',
    async (concurrency) => {
      let isAway = true;
      let refused = 0;
      const { open } = await start((request, response) => {
        if (isAway) refused++;
        answerWith(request, response, isAway ? 503 : 200);
      });
      const clock = fastClock(FACTOR);
      const container = await open({ clock, retryWindowMs: WINDOW_MS, concurrency });
      const begun = clock.monotonic();
      const outcomes = await Promise.allSettled(
        Array.from({ length: 100 }, (_, i) => container.get(`blob-${i}`, 1000)),
      );
      expect(refused).toBeGreaterThan(5);
      const codes = outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason.code : 'none'));
      expect([...new Set(codes)]).toEqual(['service-unavailable']);
      expect(clock.monotonic() - begun).toBeLessThan(4 * WINDOW_MS);
      // What is asked for later has a window of its own.
      isAway = false;
      expect(await container.get('blob', 1000)).toHaveLength(0);
      await container.close();
    },
  );

  it('is waited for one window where each try takes long, too, and one waits behind the other', async () => {
    const factor = 500;
    const windowMs = 600_000;
    const tryMs = 50_000;
    let refused = 0;
    const { open } = await start((request, response) => {
      refused++;
      setTimeout(() => answerWith(request, response, 504), tryMs / factor);
    });
    const clock = fastClock(factor);
    const container = await open({ clock, retryWindowMs: windowMs, concurrency: 16 });
    const begun = clock.monotonic();
    const outcomes = await Promise.allSettled(Array.from({ length: 16 }, (_, i) => container.get(`blob-${i}`, 1000)));
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(16);
    expect(refused).toBeGreaterThan(20);
    // A window of tries for each, one after the other, would be 16.
    expect(clock.monotonic() - begun).toBeLessThan(4 * windowMs);
    await container.close();
  });

  it('for one request alone ends that one', async () => {
    const { open, traffic } = await start((request, response) =>
      answerWith(request, response, request.url?.includes('poison') ? 503 : 200),
    );
    const clock = fastClock(FACTOR);
    const container = await open({ clock, retryWindowMs: WINDOW_MS, concurrency: 4 });
    const poison = container.get('poison', 1000);
    poison.catch(() => undefined);
    let isOver = false;
    let others = 0;
    let waiting = 0;
    const ask = async () => {
      for (; !isOver; others++) {
        await container.get('other', 1000);
        // It answers: what is repeated beside does not say that it is away.
        waiting = Math.max(waiting, traffic.totals().waitingSince);
      }
    };
    const asking = [ask(), ask(), ask(), ask(), ask()];
    await expect(poison).rejects.toMatchObject({ code: 'service-unavailable' });
    isOver = true;
    await Promise.all(asking);
    expect(others).toBeGreaterThan(5);
    expect(waiting).toBe(0);
    await container.close();
  });

  it('without a word is waited for no longer than the window says', async () => {
    let asked = 0;
    const { open } = await start(() => {
      asked++;
    });
    // Time limits below a second are longer than they should be.
    const clock = fastClock(8);
    const container = await open({ clock, retryWindowMs: 10_000, timeLimitFactor: 1 / 8 });
    const begun = clock.monotonic();
    await expect(container.get('blob', 1000)).rejects.toMatchObject({ code: 'service-unavailable' });
    expect(asked).toBeGreaterThan(1);
    // Two time limits of their own would be 85 s.
    expect(clock.monotonic() - begun).toBeLessThan(60_000);
    await container.close();
  });

  it('tells by its own clock when to come again', async () => {
    const clock = new PatientClock();
    const aheadMs = clock.now() + 86_400_000;
    let refused = 0;
    const { open } = await start((request, response) => {
      request.resume();
      if (refused++ > 0) response.end();
      else {
        const [date, again] = [aheadMs, aheadMs + 20_000].map((ms) => new Date(ms).toUTCString());
        response.writeHead(503, { date, 'retry-after': again }).end();
      }
    });
    const container = await open({ clock });
    const begun = clock.monotonic();
    await container.get('blob', 1000);
    expect(refused).toBe(2);
    expect(Math.round((clock.monotonic() - begun) / 1000)).toBe(20);
    await container.close();
  });

  it('is not asked once a stop has come, also before it is opened', async () => {
    let asked = 0;
    const { open } = await start(() => {
      asked++;
    });
    const container = await open({ signal: AbortSignal.abort() });
    await expect(container.get('blob', 1000)).rejects.toMatchObject({ code: 'cancelled' });
    expect(asked).toBe(0);
    await container.close();
  });
});

describe('an answer that is no good', () => {
  it.each([
    [
      'a redirection',
      302,
      {},
      'service',
      /answered 302, which leads to https:\/\/login\.example\. .* a proxy or a firewall/,
    ],
    ['a refusal', 403, {}, 'access-denied', /answered 403\)\. Azure Blob Storage does not answer so: a proxy/],
    [
      'a refusal of the service',
      403,
      { 'x-ms-error-code': 'AuthenticationFailed' },
      'access-denied',
      /\)\. Check that the SAS/,
    ],
    ['an archived blob', 409, { 'x-ms-error-code': 'BlobArchived' }, 'service', /refused GET blob: .* archive tier/],
  ] as const)('is told: %s', async (_, status, headers, code, message) => {
    const { open } = await start((request, response) => {
      request.resume();
      response.writeHead(status, { ...headers, location: 'https://login.example/?secret' }).end();
    });
    const container = await open();
    await expect(container.get('blob', 1000)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    await container.close();
  });

  it.each([1, 2, 3, 5])('is a listing whose pages come again: after %i', async (length) => {
    let pages = 0;
    const { open } = await start((request, response) => {
      const page = `<EnumerationResults><Blobs/><NextMarker>${pages++ % length}</NextMarker></EnumerationResults>`;
      answerWith(request, response, pages > 100 ? 404 : 200, '', page);
    });
    const container = await open();
    const read = async () => {
      for await (const page of container.list('')) expect(page).toEqual([]);
    };
    await expect(read()).rejects.toThrow(/its pages lead back to one that was read/);
    expect(pages).toBeGreaterThan(length);
    await container.close();
  });
});
