import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FoundFailures, PageModel, PageReport } from '../src/page/model.js';
import { openDatabase } from '../src/sqlite/database.js';
import { type Azurite, startAzurite } from './support/azurite.js';
import { ask, eventsOf, type ServedPage, startPage } from './support/page-client.js';
import { loadWhole, runProgram } from './support/program.js';
import { removeTree, someBytes } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-page-'));
const source = join(base, 'source');
const container = join(base, 'container');
const state = join(base, 'state');
/** A cap by which a load of a few megabytes takes some seconds. */
const CAPPED = ['--cap-mbps=8', '--compression-type=DISABLED'];
/** What would do harm if it were read as HTML, or by a terminal. */
const HOSTILE = ['<script>alert(1)<', 'a\nb\x1b[31mred\u202e', '"&\'--><!--<img src=x onerror=alert(2)>'];
const schema = JSON.parse(readFileSync(new URL('../docs/output.schema.json', import.meta.url), 'utf8')) as object;
const ajv = new Ajv2020({ strict: false });
ajv.addSchema(schema, 'output');

let azurite: Azurite;
let served: ServedPage;

beforeAll(async () => {
  azurite = await startAzurite();
  mkdirSync(source);
  for (const name of HOSTILE) {
    mkdirSync(join(source, name));
    writeFileSync(join(source, name, 'file'), name.repeat(500));
  }
  writeFileSync(join(source, 'large'), someBytes(3 * 2 ** 20, 1));
  symlinkSync('large', join(source, 'link'));
  await loadWhole(source, container, state);
  addFailures(join(state, 'job.db'));
  served = await startPage(['page', state]);
});
afterAll(async () => {
  served.child.kill('SIGTERM');
  await served.done;
  await azurite.stop();
  removeTree(base);
});

/** As many failures as a hostile tree brings. */
function addFailures(path: string): void {
  const db = openDatabase(path);
  // No statement of its own: SQLite keeps files beside a database for as long as one is there.
  for (let at = 1; at <= 60; at++) {
    const [name, message] = [`${HOSTILE[at % 3]}-${at}`, `message ${at}: ${HOSTILE[2]}`].map((text) =>
      Buffer.from(text).toString('hex'),
    );
    const reason = at % 20 === 0 ? 'entry-changed' : 'entry-unreadable';
    db.exec(
      `INSERT INTO failure VALUES (${at}, 1, x'${name}', 1, '${reason}', CAST(x'${message}' AS TEXT), 1, 1700000000000, 0, 0)`,
    );
  }
  db.close();
}

/** Every byte of every file of a directory. */
function allFiles(directory: string): string {
  return readdirSync(directory)
    .map((name) => readFileSync(join(directory, name), 'latin1'))
    .join('\n');
}

function reportOf(html: string): PageReport {
  const [, json = ''] = /<script type="application\/json" id="report">(.*)<\/script>/.exec(html) ?? [];
  return JSON.parse(json) as PageReport;
}

describe('the page lets in', () => {
  it('who has the token, and nobody else', async () => {
    expect((await ask(served.url)).status).toBe(200);
    for (const path of [
      '/',
      '/events',
      `/${'x'.repeat(32)}/`,
      `/${served.token.slice(0, -1)}/`,
      `/${served.token}`,
      `/${served.token}x/events`,
    ])
      expect((await ask(served.url, { path })).status, path).toBe(404);
    for (const path of ['/metrics', '/status.json', '/report.html']) {
      expect((await ask(served.url, { path })).status, path).toBe(401);
      const headers = { authorization: `Bearer ${served.token.toUpperCase()}` };
      expect((await ask(served.url, { path, headers })).status, path).toBe(401);
    }
    expect((await ask(`${served.url}nothing`)).status).toBe(404);
  });

  it('nobody who asks by the name of another site, which leads to this machine', async () => {
    for (const host of ['evil.example', 'evil.example:80', 'localhost.evil.example', '127.0.0.1.evil.example'])
      expect((await ask(served.url, { headers: { host } })).status, host).toBe(421);
    for (const host of ['localhost', 'localhost:1', '127.0.0.1', '[::1]:8080', hostname()])
      expect((await ask(served.url, { headers: { host } })).status, host).toBe(200);
  });

  it('only those who read', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
      expect((await ask(served.url, { method })).status, method).toBe(405);
    const head = await ask(served.url, { method: 'HEAD' });
    expect([head.status, head.body]).toEqual([200, '']);
    expect((await ask(`${served.url}events`, { method: 'HEAD' })).status).toBe(200);
  });

  it('by a policy that runs nothing but the page itself, and asks nobody else', async () => {
    const { headers, body } = await ask(served.url);
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("connect-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe');
    expect(policy).toMatch(/script-src 'sha256-[^']+';/);
    expect(headers['referrer-policy']).toBe('no-referrer');
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['cache-control']).toBe('no-store');
    // Nothing is fetched, but for links that somebody may follow.
    expect(body).not.toMatch(/(?:src|href)="https?:/);
  });
});

/** Connections that ask nothing, and how many of them are still open. */
async function strangers(port: number, count: number) {
  const all = await Promise.all(
    Array.from({ length: count }, () => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      return new Promise<Socket>((resolve) =>
        socket.once('connect', () => resolve(socket)).once('close', () => resolve(socket)),
      );
    }),
  );
  return {
    open: () => all.filter(({ closed }) => !closed).length,
    close: () => {
      for (const socket of all) socket.destroy();
    },
  };
}

describe('the page is there for who may look', () => {
  const port = () => Number(new URL(served.url).port);

  it('while somebody else on this machine holds as many connections as can be', async () => {
    const all = await strangers(port(), 400);
    const { open } = all;
    expect((await ask(served.url)).status).toBe(200);
    await expect.poll(open, { timeout: 8000 }).toBeLessThanOrEqual(64);
    expect(open()).toBeGreaterThan(0);
    // Those that have asked, and go on to read, are not among who is sent away.
    const events = eventsOf(served.url);
    expect((await events.next()).done).toBe(false);
    const more = await strangers(port(), 100);
    expect((await events.next()).done).toBe(false);
    await events.return(undefined);
    expect(more.open()).toBeGreaterThan(0);
    // Nobody has to press in to have them sent away.
    await expect.poll(more.open, { timeout: 15_000, interval: 500 }).toBe(0);
    for (const { close } of [all, more]) close();
  }, 30_000);

  it('while somebody asks for much and goes', async () => {
    for (let at = 0; at < 40; at++) {
      const socket = connect(port(), '127.0.0.1').on('error', () => undefined);
      await once(socket, 'connect');
      const path = ['report.html', 'metrics', 'events', 'failures?q=a&after=0'][at % 4];
      socket.write(`GET /${served.token}/${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(at % 3 === 0 ? 50 : 1));
      socket.resetAndDestroy();
    }
    expect((await ask(`${served.url}metrics`)).status).toBe(200);
  });

  it('until it is stopped, also when a look does not end', async () => {
    const hung = join(base, 'hung');
    cpSync(state, hung, { recursive: true });
    const page = await startPage(['page', hung]);
    rmSync(join(hung, 'lock'));
    execFileSync('mkfifo', [join(hung, 'lock')]);
    const asked = ask(`${page.url}metrics`).catch((error: Error) => error);
    await setTimeout(500);
    page.child.kill('SIGTERM');
    const late = setTimeout(15_000, 'late', { ref: false });
    expect(await Promise.race([page.done, late])).toBe(0);
    expect(await asked).toBeInstanceOf(Error);
  }, 30_000);
});

describe('the page tells', () => {
  it('all at once, with names that can do no harm', async () => {
    const { value } = await eventsOf(served.url).next();
    const model = (value as { data: PageModel & { series: { rows: unknown[] } } }).data;
    expect(model.job).toMatchObject({ kind: 'load', from: source, to: container, statePath: state });
    expect(model.now).toMatchObject({
      state: 'finished',
      finalStatus: 'Completed',
      done: 9,
      failed: 60,
      permille: 1000,
    });
    expect(model.now.listing).toMatchObject({ checked: true });
    expect(model.series.rows.length).toBeGreaterThan(0);
    expect(Object.fromEntries(model.census.types.map(({ name, count }) => [name, count]))).toEqual({
      regular: 4,
      directory: 4,
      symlink: 1,
    });
    expect(model.census.sizes.reduce((sum, { count }) => sum + count, 0)).toBe(4);
    expect(model.census.directories[0]).toEqual({ path: '.', entries: 5, bytes: 3 * 2 ** 20 });
    expect(model.census.directories.map(({ path }) => path)).toContain('a\\x0ab\\x1b[31mred\\xe2\\x80\\xae');
    expect(model.failures.groups.map(({ reason, entries }) => [reason, entries])).toEqual([
      ['entry-unreadable', 57],
      ['entry-changed', 3],
    ]);
    expect(model.log.at(-1)).toContain('final status: Completed');
    expect(JSON.stringify(model)).not.toContain('\\u001b');
  });

  it('what a search finds, page by page', async () => {
    const search = async (words: string, after = 0) => {
      const query = new URLSearchParams({ q: words, after: String(after) }).toString();
      return JSON.parse((await ask(`${served.url}failures?${query}`)).body) as FoundFailures;
    };
    const paths: string[] = [];
    for (let next: number | undefined = 0; next !== undefined; ) {
      const found: FoundFailures = await search('', next);
      expect(found.rows.length).toBeLessThanOrEqual(25);
      paths.push(...found.rows.map(({ path }) => path));
      ({ next } = found);
    }
    expect(paths.length).toBe(60);
    expect(new Set(paths).size).toBe(60);
    expect((await search('entry-CHANGED')).rows.map(({ path }) => path)).toEqual([
      '"&\'--><!--<img src=x onerror=alert(2)>-20',
      'a\\x0ab\\x1b[31mred\\xe2\\x80\\xae-40',
      '<script>alert(1)<-60',
    ]);
    expect((await search('SCRIPT changed -60')).rows.length).toBe(1);
    expect(await search('nosuch')).toEqual({ rows: [] });
    for (const after of ['x', '1e99', '-5', ''])
      expect((await ask(`${served.url}failures?q=a&after=${after}`)).status).toBe(200);
  });

  it('the same as status --json', async () => {
    const headers = { authorization: `Bearer ${served.token}` };
    const answer = await ask(served.url, { path: '/status.json', headers });
    const isLine = ajv.compile({ $ref: 'output#/$defs/StatusLine' });
    const line = JSON.parse(answer.body) as unknown;
    expect(isLine(line), JSON.stringify(isLine.errors)).toBe(true);
    const { stdout } = await runProgram('clfsload', ['status', state, '--json']);
    expect(line).toEqual(JSON.parse(Buffer.from(stdout, 'latin1').toString()));
  });

  it('Prometheus', async () => {
    const headers = { authorization: `Bearer ${served.token}` };
    const { headers: said, body } = await ask(served.url, { path: '/metrics', headers });
    expect(said['content-type']).toContain('text/plain; version=0.0.4');
    const metric = (name: string) => new RegExp(`^${name} (\\S+)$`, 'm').exec(body)?.[1];
    expect(metric('clfsload_entries_done')).toBe('9');
    expect(metric('clfsload_entries_failed')).toBe('60');
    expect(metric('clfsload_progress_ratio')).toBe('1');
    expect(metric('clfsload_running')).toBe('0');
    expect(metric('clfsload_requests_total')).toBe('0');
    expect(metric('clfsload_failures\\{reason="entry-changed"\\}')).toBe('3');
    expect(metric('clfsload_entries_by_type\\{type="regular"\\}')).toBe('4');
    expect(body).toContain('final_status="Completed"');
  });

  it('Prometheus in its format', async () => {
    const { body } = await ask(`${served.url}metrics`);
    expect(body.endsWith('\n')).toBe(true);
    const types = new Map<string, string>();
    let helped = '';
    for (const line of body.trimEnd().split('\n').filter(Boolean)) {
      const [, comment, name, text] = /^# (HELP|TYPE) (clfsload_[a-z_]+) (.+)$/.exec(line) ?? [];
      if (comment === 'HELP') helped = name;
      else if (comment === 'TYPE') {
        expect(name).toBe(helped);
        expect(types.has(name), name).toBe(false);
        expect(text).toBe(name.endsWith('_total') ? 'counter' : 'gauge');
        types.set(name, text);
      } else {
        const sample = /^(clfsload_[a-z_]+)(?:\{(?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)+\})? ([0-9.e+-]+)$/.exec(line);
        expect(sample, line).not.toBeNull();
        expect(types.has(sample?.[1] ?? ''), line).toBe(true);
        expect(Number.isFinite(Number(sample?.[2])), line).toBe(true);
      }
    }
    expect(types.size).toBeGreaterThan(15);
  });

  it('it without touching the state', () => {
    expect(readdirSync(state).sort()).toEqual(['clfsload.log', 'job.db', 'lock', 'report.html']);
  });
});

describe('the report', () => {
  it('is in the state directory in the end, and data in it can end nothing', async () => {
    const html = readFileSync(join(state, 'report.html'), 'utf8');
    expect(reportOf(html).model.now).toMatchObject({ state: 'finished', done: 9, failed: 0 });
    const file = join(base, 'now.html');
    expect((await runProgram('clfsload', ['page', state, `--report=${file}`])).stdout).toBe(`Written: ${file}\n`);
    const now = readFileSync(file, 'utf8');
    const { model, failures } = reportOf(now);
    expect([model.now.failed, failures.rows.length]).toEqual([60, 60]);
    expect(failures.rows.map(({ path }) => path)).toContain('<script>alert(1)<-3');
    expect(now).not.toContain('<script>alert');
    expect(now).not.toContain('<img src=x');
    expect(now).toContain("connect-src 'none'");
    expect(now).not.toContain(served.token);
  });

  it('takes the place of a file, of one that was being written, and of nothing else', async () => {
    const file = join(base, 'kept.html');
    const elsewhere = join(base, 'elsewhere.html');
    writeFileSync(file, 'old');
    writeFileSync(elsewhere, 'mine');
    symlinkSync(elsewhere, `${file}.new`);
    symlinkSync(file, join(base, 'link.html'));
    const report = (path: string) => runProgram('clfsload', ['page', state, `--report=${path}`]);
    expect((await report(join(base, 'link.html'))).code).toBe(0);
    expect(readFileSync(elsewhere, 'utf8')).toBe('mine');
    expect(readFileSync(file, 'utf8')).toContain('<!doctype html>');
    expect(lstatSync(join(base, 'link.html')).isSymbolicLink()).toBe(true);
    expect(readdirSync(base)).not.toContain('kept.html.new');
    const pipe = join(base, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const written = report(pipe);
    expect(readFileSync(pipe, 'utf8')).toContain('<!doctype html>');
    expect((await written).code).toBe(0);
    expect(lstatSync(pipe).isFIFO()).toBe(true);
    const refused = await report(join(base, 'nowhere', 'report.html'));
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('Cannot write the report')]);
  });

  it('that cannot be written fails no job', async () => {
    const kept = join(base, 'no-report');
    const page = await startPage([
      'load',
      source,
      await azurite.createContainer('no-report'),
      `--state-path=${kept}`,
      '--page',
      ...CAPPED,
    ]);
    await expect.poll(() => existsSync(join(kept, 'clfsload.log')), { timeout: 15_000 }).toBe(true);
    mkdirSync(join(kept, 'report.html', 'in the way'), { recursive: true });
    expect(await page.done).toBe(0);
    expect(page.output()).toContain('INFO: report.html was not written: Cannot write the report');
    expect(page.output()).toContain('Final Job Status: Completed');
  });

  it('is that of an export too, and goes with a state that goes', async () => {
    const target = join(base, 'exported');
    const kept = join(base, 'export-state');
    expect((await runProgram('clfsload', ['export', container, target, `--state-path=${kept}`])).code).toBe(0);
    const { model } = reportOf(readFileSync(join(kept, 'report.html'), 'utf8'));
    expect(model.job).toMatchObject({ kind: 'export', from: container, to: target });
    expect(model.now).toMatchObject({ finalStatus: 'Completed', done: 9, total: 9 });
    expect(model.census.types).toContainEqual({ name: 'regular', count: 4 });
    expect((await runProgram('clfsload', ['export', container, join(base, 'again')])).code).toBe(0);
    expect(readdirSync(base).filter((name) => name.includes('clfsload-export'))).toEqual([]);
    const { stdout } = await runProgram('clfsload', ['status', kept, '--json']);
    const isLine = ajv.compile({ $ref: 'output#/$defs/ExportStatusLine' });
    expect(isLine(JSON.parse(stdout)), JSON.stringify(isLine.errors)).toBe(true);
    const text = (await runProgram('clfsload', ['status', kept])).stdout;
    expect(text).toContain('Entries:   9 written, 0 replaced, 0 there already, 0 failed');
  });
});

describe('a job with --page', () => {
  const slow = join(base, 'slow');
  beforeAll(() => {
    mkdirSync(slow);
    for (let file = 0; file < 20; file++) writeFileSync(join(slow, `file-${file}`), someBytes(250_000, file));
  });

  it('tells how it goes on, and how it ended; its token is in no file', async () => {
    const statePath = join(base, 'live');
    const url = await azurite.createContainer('live');
    const page = await startPage([
      'load',
      slow,
      url,
      `--state-path=${statePath}`,
      '--page',
      '--log-level=DEBUG',
      ...CAPPED,
    ]);
    expect(page.token.length).toBeGreaterThanOrEqual(32);
    const seen: number[] = [];
    let last: Partial<PageModel> = {};
    let ended = false;
    for await (const { event, data } of eventsOf(page.url)) {
      if (event === 'end') ended = true;
      else last = { ...last, ...(data as Partial<PageModel>) };
      if (last.now) seen.push(last.now.done);
    }
    expect(ended).toBe(true);
    expect(await page.done).toBe(0);
    expect(new Set(seen).size).toBeGreaterThan(2);
    expect([...seen].sort((a, b) => a - b)).toEqual(seen);
    expect(last.now).toMatchObject({ state: 'finished', finalStatus: 'Completed', done: 21, phase: 'Done' });
    expect(last.now?.requests).toBeGreaterThan(20);
    expect(allFiles(statePath)).not.toContain(page.token);
    expect(allFiles(statePath)).not.toMatch(/[?&]sig=(?!-REDACTED-)/);
    expect(reportOf(readFileSync(join(statePath, 'report.html'), 'utf8')).model.now.done).toBe(21);
  });

  it('takes a token from the environment, and shows it nowhere', async () => {
    const token = 'a-token-of-Prometheus_0123';
    const env = { CLFSLOAD_PAGE_TOKEN: token };
    const page = await startPage(['page', state, '--json'].slice(0, 2), env);
    expect(page.url).toMatch(/\/TOKEN\/$/);
    expect(page.output()).not.toContain(token);
    expect((await ask(page.url, { path: `/${token}/` })).status).toBe(200);
    page.child.kill('SIGTERM');
    expect(await page.done).toBe(0);
    const short = await runProgram('clfsload', ['page', state], { CLFSLOAD_PAGE_TOKEN: 'short' });
    expect([short.code, short.stderr]).toEqual([2, expect.stringContaining('16 to 128 characters')]);
  });

  it('warns where others can reach it, and refuses a place that it cannot have', async () => {
    const open = await startPage(['page', state, '0.0.0.0:0']);
    open.child.kill('SIGINT');
    expect(await open.done).toBe(0);
    expect(open.output()).toContain('WARNING: The page listens on 0.0.0.0, beyond this machine');
    expect(served.output()).not.toContain('WARNING');
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const address = taken.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const statePath = join(base, 'refused');
    const refused = await runProgram('clfsload', [
      'load',
      slow,
      join(base, 'c2'),
      `--state-path=${statePath}`,
      `--page=127.0.0.1:${port}`,
    ]);
    expect(refused.code).toBe(1);
    expect(refused.stdout).toContain('another program listens there');
    expect(readdirSync(base)).not.toContain('refused');
    taken.close();
    for (const listen of ['host', 'host:x', '127.0.0.1:70000', '1:2:3'])
      expect((await runProgram('clfsload', ['page', state, listen])).stderr, listen).toContain(
        'The place of a page is HOST:PORT',
      );
  });

  it('is there for an export and for a verify', async () => {
    const target = join(base, 'exported-with-page');
    const page = await startPage(['export', container, target, '--page']);
    expect(await page.done).toBe(0);
    const verify = await startPage(['verify', source, container, '--content', '--page']);
    const models: Partial<PageModel>[] = [];
    try {
      for await (const { data } of eventsOf(verify.url)) models.push(data as Partial<PageModel>);
    } catch {
      // It may have ended before it was asked.
    }
    expect(await verify.done).toBe(0);
    for (const { job } of models) if (job) expect(job).toMatchObject({ kind: 'command', title: 'verify' });
  });

  it('of a check shows what was found, by kind and by search, and keeps it in a file', async () => {
    const changed = join(base, 'changed');
    cpSync(source, changed, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
    for (const name of HOSTILE) writeFileSync(join(changed, name, 'file'), 'other');
    writeFileSync(join(changed, 'more'), '');
    const html = join(base, 'verify.html');
    const { code } = await runProgram('clfsload', ['verify', changed, container, `--html=${html}`]);
    expect(code).toBe(1);
    const { model, failures } = reportOf(readFileSync(html, 'utf8'));
    expect(model.job).toMatchObject({ kind: 'command', title: 'verify', from: `${changed} · ${container}` });
    expect(model.job.unit).toBe('entries');
    expect(model.now).toMatchObject({ state: 'finished', finalStatus: 'Found', phase: 'Comparing' });
    expect(model.now.workedMs).toBeGreaterThan(0);
    const groups = new Map(model.failures.groups.map(({ reason, entries }) => [reason, entries]));
    expect(groups.get('only in the source')).toBe(1);
    expect(groups.get('different')).toBeGreaterThanOrEqual(3);
    expect(failures.rows.map(({ path }) => path)).toContain('a\\x0ab\\x1b[31mred\\xe2\\x80\\xae/file');
    expect(failures.rows.length).toBe(model.failures.listed);
    expect(readFileSync(html, 'utf8')).not.toContain('<script>alert');
    expect(model.log.at(-1)).toContain('1 only in the source');
  });

  it('of a check that finds nothing says so, and one that cannot be kept is told of before the work', async () => {
    for (const [name, ...args] of [['fsck'], ['manifest', '--hash']]) {
      const html = join(base, `${name}.html`);
      expect((await runProgram('clfsload', [name, container, `--html=${html}`, ...args])).code).toBe(0);
      const { model } = reportOf(readFileSync(html, 'utf8'));
      expect(model.now).toMatchObject({ state: 'finished', finalStatus: 'Completed' });
      // All that it says at its end, and the bytes that it has read, as they are stored.
      const lines = (await runProgram('clfsload', ['manifest', container])).stdout.trim().split('\n');
      const isRead = name !== 'fsck';
      const bytes = isRead ? model.now.bytesTotal : 0;
      expect(model.now).toMatchObject({ done: lines.length, bytes });
      expect(model.now.bytes > 0).toBe(isRead);
      expect(model.failures).toEqual({ groups: [], listed: 0 });
    }
    const refused = await runProgram('clfsload', ['fsck', container, `--html=${join(base, 'nowhere', 'x.html')}`]);
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toContain('Cannot write the report');
    const damaged = join(base, 'damaged');
    cpSync(container, damaged, { recursive: true });
    for (const name of readdirSync(damaged)) if (name.endsWith('.0002')) truncateSync(join(damaged, name), 0);
    for (const name of ['fsck', 'manifest']) {
      const html = join(base, `${name}-damaged.html`);
      expect((await runProgram('clfsload', [name, damaged, `--html=${html}`])).code).toBeGreaterThan(0);
      const { model } = reportOf(readFileSync(html, 'utf8'));
      expect(model.failures.listed, name).toBeGreaterThan(0);
    }
  });

  it('says what is not there', async () => {
    const none = await runProgram('clfsload', ['page', join(base, 'nowhere')]);
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('does not exist')]);
  });
});
