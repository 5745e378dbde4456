import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { startBlobServer } from './support/blob-server.js';
import { until } from './support/in-time.js';
import { loadWhole, runProgram, startProgram } from './support/program.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-status-waiting-'));
afterAll(() => rmSync(base, { recursive: true }));

describe('status of a running export', () => {
  it('says since when the service does not answer, as long as that is so', async () => {
    const [source, container, target, state] = ['source', 'container', 'target', 'state'].map((name) =>
      join(base, name),
    );
    mkdirSync(source);
    for (let n = 0; n < 60; n++) writeFileSync(join(source, `${n}`), `content ${n}`);
    await loadWhole(source, container, join(base, 'load-state'));
    let isAway = true;
    const server = await startBlobServer(container, ({ count, response }) => {
      if (!isAway || count < 20) return false;
      response.destroy();
      return true;
    });
    try {
      const { done } = startProgram('clfsload', [
        'export',
        server.url,
        target,
        `--state-path=${state}`,
        '--retry-window=5m',
      ]);
      const status = async () => JSON.parse((await runProgram('clfsload', ['status', state, '--json'])).stdout || '{}');
      await until(async () => (await status()).now?.service_away_since !== undefined);
      const told = await runProgram('clfsload', ['status', state]);
      expect(told.stdout).toMatch(/^Phase: {5}Export$/m);
      expect(told.stdout).toMatch(
        /^Waiting: {3}the service has not answered since \S+Z; requests are repeated until it does$/m,
      );
      isAway = false;
      expect((await done).code).toBe(0);
      const ended = await status();
      expect(ended).toMatchObject({ state: 'finished', permille: 1000 });
      expect(ended).not.toHaveProperty('now');
    } finally {
      await server.close();
    }
  });
});
