import { mkdtempSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { type LoadResources, openResources, type ResourceNeeds } from '../src/load/resources.js';
import { EVERYTHING } from '../src/source/selection.js';
import { systemClock } from '../src/time/clock.js';
import { JobWaits } from '../src/waits/job-waits.js';
import { removeTree } from './support/tree.js';

const source = mkdtempSync(join(tmpdir(), 'clfs-retry-window-'));
afterAll(() => removeTree(source));

/** What the thread of a job that has begun does with its container, whose service answers so. */
async function whenBegun<T>(answer: (response: ServerResponse) => void, use: (resources: LoadResources) => Promise<T>) {
  const server = createServer((request, response) => {
    request.resume();
    answer(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const container = `http://127.0.0.1:${(server.address() as AddressInfo).port}/account/container?sv=1&sig=x`;
  const stop = new AbortController();
  const waits = new JobWaits(systemClock, stop.signal, () => undefined);
  const needs = {
    spec: { sourceHex: Buffer.from(source).toString('hex'), container, selection: EVERYTHING },
    settings: {},
    options: { destination: container },
    signal: stop.signal,
    waits,
    log: () => undefined,
  } as unknown as ResourceNeeds;
  const resources = await openResources(needs);
  resources.begun(() => undefined);
  try {
    return await use(resources);
  } finally {
    stop.abort();
    waits.close();
    await resources.close();
    server.close();
    server.closeAllConnections();
  }
}

describe('once a job has begun, and no retry window is named, its own thread', () => {
  it('waits for a service that is away, without end', async () => {
    let refused = 0;
    const outcome = await whenBegun(
      (response) => {
        refused++;
        response.writeHead(503).end();
      },
      ({ container }) =>
        Promise.race([
          container.get('blob', 1000).catch((error: unknown) => String(error)),
          setTimeout(20_000, 'waits'),
        ]),
    );
    expect(refused).toBeGreaterThan(3);
    expect(outcome).toBe('waits');
  }, 60_000);

  it('takes an answer that comes late', async () => {
    const answered = await whenBegun(
      (response) => void setTimeout(18_000).then(() => response.end('content')),
      ({ container }) => container.get('blob', 1000).then(String, String),
    );
    expect(answered).toBe('content');
  }, 60_000);
});
