import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type AskedFor, type BlobServer, startBlobServer } from './support/blob-server.js';
import { loadWhole, runProgram, startOnTerminal } from './support/program.js';
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

describe('a page of a proxy in place of a blob', () => {
  const page = '<html><body>This site is blocked.</body></html>';

  it.each([
    ['fsck --content', (url: string) => ['fsck', '--content', url]],
    ['verify', (url: string) => ['verify', source, url]],
    ['manifest --hash', (url: string) => ['manifest', '--hash', url]],
  ])('once is not what %s takes for the blob', async (_, argsFor) => {
    let pages = 0;
    const url = await serve(({ blob, count, response }) => {
      if (blob === '' || count <= 20 || count > 24) return false;
      pages++;
      response.end(page);
      return true;
    });
    expect(await runProgram('clfsload', argsFor(url))).toMatchObject({ code: 0 });
    expect(pages).toBe(4);
  });

  it('for ever is told with its length', async () => {
    const url = await serve(({ blob, count, response }) => {
      if (blob !== '' && count > 20) response.end(page);
      return blob !== '' && count > 20;
    });
    const { code, stdout } = await runProgram('clfsload', ['fsck', '--content', url]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^error damaged-object \S.* \(47 bytes came, \d+ are listed\): /m);
  });
});

describe('a blob that the disk cannot read', () => {
  const broken = join(base, 'broken');
  beforeAll(() => {
    cpSync(container, broken, { recursive: true });
    const blob = readdirSync(broken).find((name) => name.includes('.0008.')) ?? '';
    rmSync(join(broken, blob));
    symlinkSync(blob, join(broken, blob));
  });

  it.each([
    ['fsck --content', ['fsck', '--content', broken], 1, /^error damaged-object d\/file \d+: The blob .* ELOOP/m],
    ['verify --content', ['verify', '--content', source, broken], 2, /file \d+.* ELOOP/],
    ['export --tar', ['export', broken, '--tar', join(base, 'tar')], 1, /ELOOP/],
    ['export', ['export', broken, join(base, 'one less')], 1, /Failed, object-damaged: 1 entry/],
    ['export --salvage', ['export', '--salvage', broken, join(base, 'saved')], 1, /Failed, object-damaged: 1 entry/],
  ])('does not keep %s from all others', async (_, args, ends, told) => {
    const { code, stdout, stderr } = await runProgram('clfsload', args);
    expect({ code, text: stdout + stderr }).toEqual({ code: ends, text: expect.stringMatching(told) });
  });

  it('is the only one that is not brought back', () => {
    for (const target of ['one less', 'saved']) expect(readdirSync(join(base, target, 'd'))).toHaveLength(39);
  });
});

it.each([
  ['first', 0, []],
  // What is in the tar already is superseded by what nobody takes for the file.
  ['last', -1, [{ size: 0, mtimeMs: 0 }]],
])('a tar never has the name and time of a file of which the %s segment is damaged', async (which, at, expected) => {
  const [from, damaged, unpacked] = ['source', 'container', 'unpacked'].map((part) => join(base, `${which} ${part}`));
  for (const directory of [from, unpacked]) mkdirSync(directory);
  writeFileSync(join(from, 'file'), someBytes(17_000_000, 1));
  await loadWhole(from, damaged, join(base, `${which} state`));
  const { stdout } = await runProgram('clfsload', ['stat', '--json', damaged, 'file']);
  const id = (JSON.parse(stdout) as { readonly segments: readonly string[] }).segments.at(at) ?? 'none';
  const blob = readdirSync(damaged).find((name) => name.includes(id)) ?? '';
  truncateSync(join(damaged, blob), 1000);
  const tar = join(base, `${which}.tar`);
  expect(await runProgram('clfsload', ['export', damaged, '--tar', tar])).toMatchObject({ code: 1 });
  execFileSync('tar', ['xf', tar, '-C', unpacked]);
  expect(
    readdirSync(unpacked).map((name) => {
      const { size, mtimeMs } = statSync(join(unpacked, name));
      return { size, mtimeMs };
    }),
  ).toEqual(expected);
});
