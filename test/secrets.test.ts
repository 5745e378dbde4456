import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Azurite, startAzurite } from './support/azurite.js';
import { startFaultyProxy } from './support/faulty-proxy.js';
import { startProgram } from './support/program.js';
import { removeTree } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-secrets-'));
const source = join(base, 'source');
let azurite: Azurite;
beforeAll(async () => {
  azurite = await startAzurite();
  mkdirSync(source);
  for (let file = 0; file < 400; file++) writeFileSync(join(source, `file-${file}`), `${file}`);
});
afterAll(async () => {
  await azurite.stop();
  removeTree(base);
});

/** The signature of a URL in each form that it could be written in. */
function signatureOf(url: string): string[] {
  const encoded = /sig=([^&]*)/.exec(url)?.[1] ?? '';
  const plain = decodeURIComponent(encoded);
  expect(plain.length).toBeGreaterThan(20);
  return [encoded, plain, encodeURIComponent(encoded), Buffer.from(plain, 'base64').toString('hex')];
}

/** Every byte of every file below a directory. */
function allFiles(directory: string): string {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n');
}

/** What `ps` shows, and what every process shows of itself. */
function allProcesses(): string {
  const shown = execFileSync(
    'sh',
    ['-c', 'cat /proc/[0-9]*/cmdline /proc/[0-9]*/comm 2>/dev/null | tr "\\000" " "; exit 0'],
    { encoding: 'latin1' },
  );
  expect(shown).toContain('node');
  return shown;
}

function expectNone(text: string, signatures: readonly string[], where: string): void {
  for (const signature of signatures) expect(text.includes(signature), where).toBe(false);
}

describe('the signature of a SAS is nowhere to be found', () => {
  it('in state, logs, reports, output and processes of a load that is harmed, stopped, continued and fails', async () => {
    const url = await azurite.createContainer('harmed');
    const signatures = signatureOf(url);
    const proxy = await startFaultyProxy(azurite.port, 0.2, 3);
    const state = join(base, 'state');
    const file = join(base, 'url-file');
    writeFileSync(file, url.replace(`:${azurite.port}/`, `:${proxy.port}/`));
    const flags = [
      `--state-path=${state}`,
      '--log-level=DEBUG',
      '--cap-mbps=0.5',
      '--output-type=json',
      '--max-errors=0',
      '--late-arrival=2s',
    ];
    const first = startProgram('clfsload', ['load', source, `@${file}`, ...flags]);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expectNone(allProcesses(), signatures, 'ps');
    first.child.kill('SIGTERM');
    const stopped = await first.done;
    expectNone(stopped.stdout + stopped.stderr, signatures, 'output');
    expectNone(allFiles(state), signatures, 'state');
    // The URL on the command line itself.
    const second = startProgram('clfsload', [
      'load',
      source,
      readFileSync(file, 'utf8'),
      ...flags,
      '--new-session=false',
    ]);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const processes = allProcesses();
    expectNone(processes, signatures, 'ps');
    expect(processes).toContain('sig=-REDACTED-');
    await new Promise((resolve) => setTimeout(resolve, 1500));
    second.child.kill('SIGTERM');
    const ended = await second.done;
    await proxy.close();
    expectNone(ended.stdout + ended.stderr, signatures, 'output');
    expect(ended.stdout).toMatch(/final_job_status/);
    const kept = allFiles(state);
    expect(kept).toContain('trying again');
    expectNone(kept, signatures, 'state');
  });

  it('in what a load that ends well leaves, its log in the container included', async () => {
    const url = await azurite.createContainer('complete');
    const state = join(base, 'complete-state');
    const logs = join(base, 'logs');
    const run = await startProgram(
      'azcopy',
      ['load', 'clfs', source, url, `--state-path=${state}`, '--log-level=DEBUG'],
      { AZCOPY_LOG_LOCATION: logs },
    ).done;
    expect(run.code).toBe(0);
    expectNone(run.stdout + run.stderr + allFiles(state) + allFiles(logs), signatureOf(url), 'output, state and logs');
    expect(allFiles(logs)).toContain('Finalize phase has started');
    let sent = '';
    for await (const blob of azurite.client('complete').listBlobsFlat())
      if (blob.name.endsWith('.log'))
        sent += (await azurite.client('complete').getBlobClient(blob.name).downloadToBuffer()).toString('latin1');
    expect(sent).toContain('Transfer phase has started');
    expectNone(sent, signatureOf(url), 'log in the container');
  });

  it('in error texts of every kind', async () => {
    const url = azurite.sasUrl('nothing-there');
    const signatures = signatureOf(url);
    const runs = [
      ['load', source, url, `--state-path=${join(base, 'none')}`],
      ['load', source, `${url}&x=y#z`, `--state-path=${join(base, 'none')}`],
      ['load', source, url.replace('nothing-there', 'not--a--name'), `--state-path=${join(base, 'none')}`],
      ['load', source, url.replace('nothing-there', 'nothing-there/blob'), `--state-path=${join(base, 'none')}`],
      ['load', source, url, '--bogus'],
      ['load', url, source, `--state-path=${join(base, 'none')}`],
      ['load', source, url.replace('sig=', 'SIG='), `--state-path=${join(base, 'none')}`],
      ['load', source, url.replace(':', '::'), `--state-path=${join(base, 'none')}`],
      ['ls', url],
      ['fsck', url, 'extra'],
      ['verify', url],
      ['export', url, '/nowhere/at/all'],
      [url],
    ];
    for (const args of runs) {
      const run = await startProgram('clfsload', args).done;
      expect(run.code, args[0]).not.toBe(0);
      expectNone(run.stdout + run.stderr, signatures, args.join(' '));
    }
  });

  it('in what the extension of azcopy says', async () => {
    const url = azurite.sasUrl('nothing-there');
    const signatures = signatureOf(url);
    const sas = url.split('?')[1];
    for (const account of ['account', 'evil.example', 'a/../b']) {
      const endpoint =
        account === 'account' ? { CLFSLOAD_BLOB_ENDPOINT: `http://127.0.0.1:${azurite.port}/devstoreaccount1` } : {};
      const run = await startProgram(
        'CLFSLoad.py',
        [join(base, 'ext'), source, account, 'nothing-there', sas, '--azcopy', '--new'],
        endpoint,
      ).done;
      expect(run.code).toBe(1);
      expect(run.stdout).toMatch(/^ERR /m);
      expectNone(run.stdout + run.stderr, signatures, account);
    }
  });
});
