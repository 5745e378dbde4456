import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { load } from '../src/load/load.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-workers-stop-'));
afterAll(() => rmSync(base, { recursive: true }));

describe('a load whose server for workers is silent', () => {
  it('ends at once when it is stopped, as stopped', async () => {
    const source = join(base, 'source');
    mkdirSync(source);
    const stop = new AbortController();
    const server = createServer(() => stop.abort());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const begun = performance.now();
    const loading = load({
      source,
      destination: join(base, 'container'),
      statePath: join(base, 'state'),
      workers: `nats://127.0.0.1:${(server.address() as AddressInfo).port}`,
      signal: stop.signal,
    });
    await expect(loading).rejects.toMatchObject({ code: 'cancelled' });
    expect(performance.now() - begun).toBeLessThan(4000);
    server.close();
  });
});
