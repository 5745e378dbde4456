import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type AskedFor, type BlobServer, startBlobServer } from './support/blob-server.js';
import { loadWhole, startOnTerminal } from './support/program.js';
import { removeTree, someBytes } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-way-back-'));
const source = join(base, 'source');
const container = join(base, 'container');
let server: BlobServer | undefined;

beforeAll(async () => {
  mkdirSync(join(source, 'd'), { recursive: true });
  for (let f = 0; f < 40; f++) writeFileSync(join(source, 'd', `file ${f}`), someBytes(500 * f, f));
  await loadWhole(source, container, join(base, 'state'));
});
afterEach(async () => {
  await server?.close();
});
afterAll(() => removeTree(base));

async function serve(answers: (request: AskedFor) => boolean): Promise<string> {
  server = await startBlobServer(container, answers);
  return server.url;
}

describe('a service that answers no more', () => {
  it.each([
    ['verify', (url: string) => ['verify', source, url]],
    ['du', (url: string) => ['du', url]],
    ['export', (url: string) => ['export', url, join(base, 'target')]],
    ['export --tar', (url: string) => ['export', url, '--tar', join(base, 'tar')]],
  ])('is spoken of in the line of progress of %s', async (_, argsFor) => {
    let refused = 0;
    const url = await serve(({ blob, count, response }) => {
      if (blob === '' || count < 10) return false;
      refused++;
      response.writeHead(503).end();
      return true;
    });
    const run = await startOnTerminal('clfsload', [...argsFor(url), '--retry-window=6s'], 200).done;
    expect(refused).toBeGreaterThan(1);
    expect(run.stdout).toMatch(/no answer for [2-6] s.{0,12}\d+ retries/);
    expect(run.stdout).toMatch(/^.*No usable answer from \S+ in \d+ tries over [5-9] s: the service answered 503\./m);
    expect(run.code).toBe(2);
  });
});
