import { existsSync, mkdirSync, mkdtempSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LAST_WORKERS_FILE, WORKERS_FILE } from '../src/join/workers-file.js';
import type { WorkerPresence } from '../src/remote/presence.js';
import { openDatabase } from '../src/sqlite/database.js';
import { type Azurite, startAzurite } from './support/azurite.js';
import { eventsOf, type ServedPage, startPage } from './support/page-client.js';
import { loadWhole, runProgram } from './support/program.js';
import { removeTree, someBytes } from './support/tree.js';
import { workerPresence } from './support/worker-presence.js';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
if (!CHROMIUM) console.warn('There is no chromium: the page is not driven in a browser. apt-get install chromium');

const base = mkdtempSync(join(tmpdir(), 'clfs-browser-'));
/** Looked at by people; ignored by git. */
const pictures = new URL('../coverage/page/', import.meta.url).pathname;
const HOSTILE = [
  '<script>document.title = "harmed"<',
  '<img src=x onerror="document.title=\'harmed\'">',
  'a\nb\x1b[31mred\u202egnp.exe',
];
/** A machine that does much else takes its time. */
const PATIENT = { timeout: 15_000 };
const SCHEMES = {
  light: { colorScheme: 'light', viewport: { width: 1280, height: 900 } },
  dark: { colorScheme: 'dark', viewport: { width: 1280, height: 900 } },
  narrow: { colorScheme: 'light', viewport: { width: 390, height: 844 }, isMobile: true },
} as const;

let azurite: Azurite;
const open: BrowserContext[] = [];
const served: ServedPage[] = [];
/** What a page complains of, and where it asks, beyond its own origin. */
const trouble: string[] = [];

beforeAll(async () => {
  mkdirSync(pictures, { recursive: true });
  if (CHROMIUM) azurite = await startAzurite();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((context) => context.close()));
  for (const page of served.splice(0)) {
    page.child.kill('SIGTERM');
    await page.done;
  }
});
afterAll(async () => {
  await azurite?.stop();
  removeTree(base);
});

async function browse(url: string, options: (typeof SCHEMES)[keyof typeof SCHEMES] = SCHEMES.light): Promise<Page> {
  const context = await chromium.launchPersistentContext(mkdtempSync(join(base, 'user-')), {
    executablePath: CHROMIUM,
    headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
    timezoneId: 'UTC',
    ...options,
  });
  open.push(context);
  const page = context.pages()[0] ?? (await context.newPage());
  trouble.length = 0;
  page.on('pageerror', ({ message }) => trouble.push(message));
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().includes('ERR_')) trouble.push(message.text());
  });
  page.on('dialog', (dialog) => {
    trouble.push(`dialog ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('request', (request) => {
    const asked = request.url();
    if (!asked.startsWith('data:') && !asked.startsWith(new URL('.', url).href)) trouble.push(`asks ${asked}`);
  });
  await page.goto(url);
  await page.locator('h1').waitFor();
  return page;
}

/** Figures of a page that are the same wherever it is read. */
async function figuresOf(page: Page): Promise<readonly string[]> {
  const texts = [
    page.locator('.share strong'),
    page.locator('.lines'),
    page.locator('.histogram').first(),
    page.locator('.directories'),
  ];
  return Promise.all(texts.map((text) => text.innerText()));
}

/** The whole page as a picture, and that nothing in it is wider than the screen. */
async function picture(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
  const { wide, screen } = (await page.evaluate(
    '({ wide: document.documentElement.scrollWidth, screen: innerWidth })',
  )) as { wide: number; screen: number };
  expect(wide, name).toBeLessThanOrEqual(screen);
}

function addFailures(statePath: string): void {
  const db = openDatabase(join(statePath, 'job.db'));
  const insert = db.prepare('INSERT INTO failure VALUES (?, 1, ?, 1, ?, ?, 1, 1700000000000, 0, 0)');
  for (let at = 1; at <= 90; at++)
    insert.run(
      at,
      Buffer.from(`${HOSTILE[at % 3]}-${at}`),
      at === 77 ? 'entry-changed' : 'entry-unreadable',
      `why ${at}: ${HOSTILE[0]}`,
    );
  db.close();
}

/** So many that a search goes over them in several turns; what is looked for is the last. */
function addManyFailures(statePath: string): void {
  const db = openDatabase(join(statePath, 'job.db'));
  db.exec(`WITH RECURSIVE n(x) AS (SELECT 91 UNION ALL SELECT x + 1 FROM n WHERE x < 50000)
    INSERT INTO failure SELECT x, 1, CAST('deep-' || x AS BLOB), 1, 'path-too-long', iif(x = 50000, 'the needle', 'hay'), 1, 1700000000000, 0, 0 FROM n`);
  db.close();
}

/** A past of two sessions, in which the service was away for a while. */
function addPast(statePath: string): void {
  const db = openDatabase(join(statePath, 'job.db'));
  db.exec('DELETE FROM series');
  const insert = db.prepare(`INSERT INTO series VALUES (${new Array(13).fill('?').join(', ')})`);
  for (let at = 1; at <= 400; at++) {
    const [session, away] = [at <= 240 ? 1 : 2, at > 100 && at < 112];
    const entries = away ? 0 : Math.round(12_000 * (1.3 + Math.sin(at / 30)));
    const [bytes, requests] = [entries * 60_000 * (1.2 + Math.sin(at / 13)), entries * 1.4];
    const endMs = 1_700_000_000_000 + at * 96_000 + (session - 1) * 36_000_000;
    const counts = [entries, Math.round(bytes), Math.round(requests), away ? 300 : at % 7, at % 40 === 0 ? 20 : 0];
    insert.run(
      at,
      endMs,
      96_000,
      session,
      ...counts,
      away ? 8 : 40 + 10 * Math.sin(at / 20),
      2,
      at > 60 ? 3 : 0,
      48 + (at % 9),
    );
  }
  db.close();
}

/** Who is there, slow, in trouble or gone, and means no good by its name. */
function someWorkers(): readonly WorkerPresence[] {
  const goneMs = 1_700_000_600_000;
  return [
    workerPresence('node17.cluster.example/48213'),
    workerPresence('node18.cluster.example/991', { unitsPerSecond: 3, units: 40, isSlow: true }),
    workerPresence(`${HOSTILE[1]}/7`, { trouble: `${HOSTILE[0]} has not answered for 70 s` }),
    workerPresence('x'.repeat(300), { threads: 64, units: 2.5e9, bytes: 4e14, unitsPerSecond: 12_345 }),
    workerPresence(HOSTILE[2], { goneMs, trouble: `it was told to end ${HOSTILE[0]}`, tasks: 0, isSlow: false }),
  ];
}

function makeTree(source: string): void {
  mkdirSync(source);
  for (const [at, name] of HOSTILE.entries()) {
    mkdirSync(join(source, name.replaceAll('/', '_')));
    writeFileSync(join(source, name.replaceAll('/', '_'), 'file'), someBytes(1000 * (at + 1), at));
  }
  for (let file = 0; file < 40; file++) writeFileSync(join(source, `file-${file}`), someBytes(200_000 + file, file));
}

describe.runIf(CHROMIUM)('the page, in a browser', () => {
  it('moves while a load runs, says that it was stopped, and shows its past when it has gone on', async () => {
    const [source, state] = ['running', 'running-state'].map((name) => join(base, name));
    makeTree(source);
    const url = await azurite.createContainer('running');
    // It would take a minute.
    const flags = [
      '--cap-mbps=1',
      '--compression-type=DISABLED',
      '--late-arrival=2s',
      `--state-path=${state}`,
      '--page',
    ];
    const load = await startPage(['load', source, url, ...flags]);
    served.push(load);
    const page = await browse(load.url);
    const entries = page.locator('.lines .text').first();
    const done = async () => Number.parseInt((await entries.innerText()).replaceAll(',', ''), 10);
    const seen = [await done()];
    for (let moves = 0; moves < 3; moves++) {
      await expect.poll(done, { timeout: 60_000 }).toBeGreaterThan(seen.at(-1) ?? 0);
      seen.push(await done());
    }
    expect(await page.locator('.pill').innerText()).toBe('Running');
    load.child.kill('SIGINT');
    await page.locator('.pill', { hasText: 'Stopped' }).waitFor();
    await page.locator('footer', { hasText: 'The program has ended' }).waitFor();
    expect(trouble).toEqual([]);
    await load.done;
    expect((await runProgram('clfsload', ['resume', state, url, '--cap-mbps=0', '--late-arrival=2s'])).code).toBe(0);
    const ended = await startPage(['page', state]);
    served.push(ended);
    const after = await browse(ended.url);
    await after.locator('.pill', { hasText: 'Completed' }).waitFor();
    expect(await after.locator('.share strong').innerText()).toBe('100 %');
    expect(await after.locator('.lines .text').first().innerText()).toBe('47 of 47 entries');
    expect(await after.locator('.tile', { hasText: 'worked' }).innerText()).toContain('in 2 sessions');
    await expect.poll(() => after.locator('.chart canvas').count(), PATIENT).toBe(4);
    expect(await after.title()).toBe('Completed · Load · clfsload');
    expect(trouble).toEqual([]);
  });

  it('shows who works on a job while they do, and what they did when it has ended', async () => {
    const [source, state] = ['helped', 'helped-state'].map((name) => join(base, name));
    makeTree(source);
    const url = await azurite.createContainer('helped');
    const flags = ['--cap-mbps=1', '--compression-type=DISABLED', '--late-arrival=2s', `--state-path=${state}`];
    const load = await startPage(['load', source, url, ...flags, '--page']);
    served.push(load);
    const page = await browse(load.url);
    await page.locator('.pill', { hasText: 'Running' }).waitFor();
    const panel = page.locator('section', { has: page.locator('.workers') });
    expect(await panel.isVisible()).toBe(false);
    // As a job with workers tells of them, twice a second.
    const tell = (list: readonly WorkerPresence[]) => {
      writeFileSync(join(state, `${WORKERS_FILE}.new`), JSON.stringify(list));
      renameSync(join(state, `${WORKERS_FILE}.new`), join(state, WORKERS_FILE));
    };
    tell([workerPresence('node17/1')]);
    const rows = panel.locator('tbody tr');
    await expect.poll(() => rows.count(), PATIENT).toBe(1);
    expect(await rows.first().innerText()).toMatch(/^node17\/1\s+2023-11-14 22:13:20\s+4\s+2\s+50\/s\s+1.0k in all/);
    tell(someWorkers());
    await expect.poll(() => rows.count(), PATIENT).toBe(5);
    const names = await rows.locator('.path').allInnerTexts();
    expect(names).toEqual([
      'node18.cluster.example/991',
      `${HOSTILE[1]}/7`,
      'node17.cluster.example/48213',
      'x'.repeat(300),
      'a b\\x1b[31mred\\xe2\\x80\\xaegnp.exe',
    ]);
    expect(await rows.nth(0).innerText()).toContain('much slower than the others');
    expect(await rows.nth(1).innerText()).toContain(`${HOSTILE[0]} has not answered for 70 s`);
    expect(await rows.nth(4).innerText()).toContain(
      `has gone at 2023-11-14 22:23:20: it was told to end ${HOSTILE[0]}`,
    );
    expect(await panel.locator('.sum').innerText()).toBe(
      '4 workers take part, 1 much slower than the others, 1 waits for an answer, 1 has gone. A unit is about one small file.',
    );
    const { workers } = JSON.parse(await (await fetch(`${load.url}status.json`)).text()) as { workers: object[] };
    expect(workers.map((worker) => Object.keys(worker).length)).toEqual([9, 9, 10, 9, 11]);
    const metrics = await (await fetch(`${load.url}metrics`)).text();
    expect(metrics).not.toContain('node18');
    expect(await page.locator('img, script[src], iframe').count()).toBe(0);
    await picture(page, 'workers-live');
    await page.setViewportSize(SCHEMES.narrow.viewport);
    await picture(page, 'workers-live-narrow');
    tell([]);
    await panel.waitFor({ state: 'hidden' });
    expect(await page.title()).not.toBe('harmed');
    expect(trouble).toEqual([]);
  });

  it('shows of a job that has ended who had worked on it, in light, dark and narrow', async () => {
    const [source, container, state] = ['crewed', 'crewed-container', 'crewed-state'].map((name) => join(base, name));
    makeTree(source);
    await loadWhole(source, container, state);
    writeFileSync(join(state, LAST_WORKERS_FILE), JSON.stringify(someWorkers()));
    const file = join(base, 'crewed.html');
    expect((await runProgram('clfsload', ['page', state, `--report=${file}`])).code).toBe(0);
    for (const [name, options] of Object.entries(SCHEMES)) {
      const page = await browse(pathToFileURL(file).href, options);
      const rows = page.locator('.workers tbody tr');
      expect(await rows.count()).toBe(5);
      const [first] = await rows.allInnerTexts();
      expect(first).toContain('much slower than the others');
      // Nothing is done any more.
      expect(first).not.toContain('/s');
      expect(await page.locator('.workers').locator('xpath=..').locator('.sum').innerText()).toContain(
        '4 workers took part to the end',
      );
      expect(trouble.filter((text) => !text.startsWith('asks file:'))).toEqual([]);
      expect(await page.title()).toBe('Completed · Load · clfsload');
      await picture(page, `workers-${name}`);
    }
  });

  it('finds a failure, and is harmed by no name', async () => {
    const [source, container, state] = ['hostile', 'hostile-container', 'hostile-state'].map((name) =>
      join(base, name),
    );
    makeTree(source);
    await loadWhole(source, container, state);
    addFailures(state);
    addManyFailures(state);
    const job = await startPage(['page', state]);
    served.push(job);
    const page = await browse(job.url);
    const rows = page.locator('.failures tbody tr');
    await page.locator('.failures .path', { hasText: HOSTILE[0] }).first().waitFor();
    expect(await rows.count()).toBe(25);
    await page.getByRole('button', { name: 'Show more' }).click();
    await expect.poll(() => rows.count(), PATIENT).toBe(50);
    await page.getByRole('searchbox').fill('why CHANGED');
    await expect.poll(() => rows.count(), PATIENT).toBe(1);
    expect(await rows.first().locator('.path').innerText()).toBe('a\\x0ab\\x1b[31mred\\xe2\\x80\\xaegnp.exe-77');
    await page.getByRole('searchbox').fill('no such thing');
    await page.getByText('Nothing has “no such thing” in it.').waitFor();
    await page.getByRole('button', { name: 'entry-unreadable 89' }).click();
    await expect.poll(() => rows.count(), PATIENT).toBe(25);
    // By the keyboard alone.
    await page.getByRole('button', { name: 'entry-changed 1' }).focus();
    await page.keyboard.press('Enter');
    await expect.poll(() => rows.count(), PATIENT).toBe(1);
    // Further down than one search goes.
    await page.getByRole('searchbox').fill('needle');
    await expect.poll(() => rows.first().locator('.path').innerText(), PATIENT).toBe('deep-50000');
    expect(await rows.count()).toBe(1);
    expect(await page.getByRole('region', { name: 'Log' }).count()).toBe(1);
    expect(await page.locator('img, script[src], iframe').count()).toBe(0);
    expect(await page.title()).toBe('Completed · Load · clfsload');
    // What would run a script that somebody had got in.
    await page.evaluate(
      "document.body.append(Object.assign(document.createElement('script'), { textContent: 'document.title = \"harmed\"' }))",
    );
    expect(await page.title()).not.toBe('harmed');
    expect(trouble.filter((text) => !text.includes('Content Security Policy'))).toEqual([]);
    expect(trouble.length).toBeGreaterThan(0);
  });

  it('comes when it was refused first, since too many looked on', async () => {
    const [source, container, state] = ['many', 'many-container', 'many-state'].map((name) => join(base, name));
    makeTree(source);
    await loadWhole(source, container, state);
    const job = await startPage(['page', state]);
    served.push(job);
    const onlookers = Array.from({ length: 64 }, () => eventsOf(job.url));
    for (const events of onlookers) await events.next();
    const refused = eventsOf(job.url);
    expect((await refused.next()).done).toBe(true);
    const browsed = browse(job.url);
    await setTimeout(2000);
    await Promise.all(onlookers.map((events) => events.return(undefined)));
    await (await browsed).locator('.pill', { hasText: 'Completed' }).waitFor();
  });

  it('of a check is read from disk, with what was found', async () => {
    const [source, container, state] = ['checked', 'checked-container', 'checked-state'].map((name) =>
      join(base, name),
    );
    makeTree(source);
    await loadWhole(source, container, state);
    for (let file = 0; file < 40; file++) writeFileSync(join(source, `file-${file}`), 'other');
    writeFileSync(join(source, '<img src=x>'), '');
    const file = join(base, 'verify.html');
    expect((await runProgram('clfsload', ['verify', source, container, `--html=${file}`])).code).toBe(1);
    const page = await browse(pathToFileURL(file).href);
    await page.locator('.pill', { hasText: 'Something was found' }).waitFor();
    const rows = page.locator('.failures tbody tr');
    expect(await rows.count()).toBe(25);
    await page.getByRole('button', { name: 'only in the source 1' }).click();
    await expect.poll(() => rows.count(), PATIENT).toBe(1);
    expect(await rows.first().locator('.path').innerText()).toBe('<img src=x>');
    expect(await page.locator('.tile', { hasText: 'found' }).innerText()).toContain('see what was found');
    expect(trouble.filter((text) => !text.startsWith('asks file:'))).toEqual([]);
    await picture(page, 'verify');
  });

  it('of a check that counts no bytes, and has ended, speaks of none', async () => {
    const [source, container, state, file] = ['sound', 'sound-container', 'sound-state', 'fsck.html'].map((name) =>
      join(base, name),
    );
    makeTree(source);
    await loadWhole(source, container, state);
    expect((await runProgram('clfsload', ['fsck', container, `--html=${file}`])).code).toBe(0);
    const page = await browse(pathToFileURL(file).href);
    await page.locator('.pill', { hasText: 'Completed' }).waitFor();
    const text = await page.locator('body').innerText();
    expect(text).not.toMatch(/bytes|file data|so far|yet/i);
    expect(text).toContain('0 errors, 0 warnings');
  });

  it('is read from disk with the same figures, in light, dark and narrow', async () => {
    const [source, container, state] = ['kept', 'kept-container', 'kept-state'].map((name) => join(base, name));
    makeTree(source);
    await loadWhole(source, container, state);
    addFailures(state);
    addPast(state);
    const job = await startPage(['page', state]);
    served.push(job);
    const figures = await figuresOf(await browse(job.url));
    expect(figures[0]).toBe('100 %');
    expect(figures[1]).toContain('47 of 137 entries');
    expect(trouble).toEqual([]);
    const file = join(base, 'report.html');
    expect((await runProgram('clfsload', ['page', state, `--report=${file}`])).code).toBe(0);
    for (const [name, options] of Object.entries(SCHEMES)) {
      const page = await browse(pathToFileURL(file).href, options);
      expect(await figuresOf(page)).toEqual(figures);
      await page.getByRole('searchbox').fill('entry-changed');
      await expect.poll(() => page.locator('.failures tbody tr').count(), PATIENT).toBe(1);
      await page.getByRole('searchbox').fill('');
      await expect.poll(() => page.locator('.failures tbody tr').count(), PATIENT).toBe(25);
      expect(trouble.filter((text) => !text.startsWith('asks file:'))).toEqual([]);
      await picture(page, name);
    }
  });
});
