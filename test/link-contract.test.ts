import { describe, expect, it } from 'vitest';
import { openNatsDriver } from '../src/remote/nats-driver.js';
import { natsOptions } from '../src/remote/nats-options.js';
import { openNatsWorker } from '../src/remote/nats-worker.js';
import { Gate } from './lives/gate.js';
import { Random } from './lives/random.js';
import { VirtualTime } from './lives/virtual-time.js';
import { linkContract } from './support/link-contract.js';
import { MemoryServer } from './support/memory-server.js';
import { HAS_NATS, startNats } from './support/nats.js';

describe('the way to workers in memory', () =>
  linkContract(async () => {
    const time = new VirtualTime();
    const server = new MemoryServer(time, new Random(1));
    return {
      openDriver: server.driver(new Gate(time)),
      openWorker: async () => server.worker(new Gate(time)),
      leave: async () => server.leave(true),
      comeBack: async () => server.comeBack(),
      pass: (ms) => time.sleep(ms),
      close: async () => time.clear(),
    };
  }));

if (!HAS_NATS) console.warn('nats-server is missing: the way to workers is tested in memory only');

describe.skipIf(!HAS_NATS)('the way to workers by NATS', () =>
  linkContract(async () => {
    const server = await startNats();
    const options = natsOptions(server.url, {});
    return {
      openDriver: (names) => openNatsDriver(options, names),
      async openWorker() {
        const link = await openNatsWorker(options, 'worker', {
          signal: new AbortController().signal,
          report: () => undefined,
        });
        if (!link) throw new Error('nobody has ended the waiting');
        return link;
      },
      leave: () => server.stop('SIGKILL'),
      comeBack: () => server.start(),
      pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      close: () => server.close(),
    };
  }),
);

it.skipIf(!HAS_NATS)('what is sent is no longer than any server takes, also while that is away', async () => {
  const mostBytes = 131_072;
  // One that takes less may be in its place the next time.
  const server = await startNats('max_payload: 8MB');
  const patience = { signal: new AbortController().signal, report: () => undefined };
  const link = await openNatsWorker(natsOptions(server.url, {}), 'worker', patience);
  try {
    expect(link?.longestBytes).toBe(mostBytes);
    await server.stop('SIGKILL');
    for (let look = 0; look < 20; look++) {
      expect(link?.longestBytes).toBeLessThanOrEqual(mostBytes);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } finally {
    await link?.close();
    await server.close();
  }
});
