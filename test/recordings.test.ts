import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Azurite, startAzurite } from './support/azurite.js';
import { type RunResult, runProgram, startOnTerminal, startProgram } from './support/program.js';
import { type SlowProxy, startSlowProxy } from './support/slow-proxy.js';
import { removeTree, someBytes } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-recordings-'));
const source = join(base, 'source');
let azurite: Azurite;
let proxy: SlowProxy;
/** A cap that makes the load take about five seconds; the proxy does so for what reads. */
// What a stop cuts off is waited for by the next session.
const SLOW = ['--cap-mbps=8', '--compression-type=DISABLED', '--late-arrival=1s'];
const BYTES_PER_SECOND = 1_000_000;

beforeAll(async () => {
  mkdirSync(source);
  for (let file = 0; file < 20; file++) writeFileSync(join(source, `file-${file}`), someBytes(250_000, file));
  azurite = await startAzurite();
  proxy = await startSlowProxy(azurite.port, BYTES_PER_SECOND);
});
afterAll(async () => {
  await proxy.close();
  await azurite.stop();
  removeTree(base);
});

/** Columns of a terminal; undefined: a pipe. */
type Width = number | undefined;

async function run(width: Width, args: readonly string[]): Promise<RunResult> {
  return width === undefined ? runProgram('clfsload', args) : startOnTerminal('clfsload', args, width).done;
}

/** Runs until `seen` is in the output, interrupts, and waits for the end. */
async function stopped(width: Width, args: readonly string[], seen: RegExp): Promise<RunResult> {
  if (width === undefined) {
    const { child, done } = startProgram('clfsload', args);
    let text = '';
    child.stdout?.on('data', (more: string) => {
      text += more;
    });
    while (!seen.test(text)) await setTimeout(50);
    await setTimeout(1500);
    child.kill('SIGINT');
    return done;
  }
  const terminal = startOnTerminal('clfsload', args, width);
  while (!seen.test(terminal.output())) await setTimeout(50);
  terminal.interrupt();
  return terminal.done;
}

const ESCAPES = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g');
/** A line of progress in any of its forms, without colours. What it says at which width: src/cli/progress/line.test.ts. */
const LINE =
  /^(?:[A-Z]\w+ {1,2})?(?:\d+(?:\.\d ?)?% {1,2})?[\d.]+k?(?:(?: of |\/)[\d.]+k?)?(?: (?:entry|entries|blobs?))?(?: {1,2}[\d./]+[BKM]?(?:(?: of |\/)[\d.]+[BKM])?(?: stored)?)?(?: {1,2}[\d.]+k?\/s)?(?: {1,2}[\d.]+[BKM]\/s)?(?: {1,2}(?:\d+ ?(?:min|[smhd]) ?)+(?:left)?)?$/;

/** What a terminal was sent, with each run of progress lines as one word, and without what differs from run to run. */
function recording({ stdout, stderr }: RunResult, width: Width): string {
  const text = (width === undefined ? stderr + stdout : stdout).replaceAll('\r\n', '\n').replace(ESCAPES, '');
  const shown = text.replace(/\r([^\r\n]*)/g, (_whole, line: string) => {
    if (line.trim() === '') return '<ERASED>';
    // What is written over the erased line stands at its beginning.
    const progress = line.trimEnd();
    if (!LINE.test(progress)) return line;
    expect(progress.length).toBeLessThan(width ?? 0);
    return '<PROGRESS>';
  });
  return shown
    .replace(/(<PROGRESS>)+<ERASED>/g, '<PROGRESS>')
    .replaceAll(base, 'BASE')
    .replaceAll(String(proxy.port), 'PORT')
    .replaceAll(String(azurite.port), 'PORT')
    .replace(/version: \d+\.\d+\.\d+/g, 'version: VERSION')
    .replace(/\d+ entr(y|ies) done, 0 failed, \d+ pending/g, 'N entries done, 0 failed, N pending')
    .replace(/(Minutes\)|Completed|Number Of Transfers|BytesTransferred): [\d.]+\n/g, '$1: N\n');
}

describe.each([
  { name: 'off a terminal', width: undefined },
  { name: 'on 40 columns', width: 40 },
  { name: 'on 80 columns', width: 80 },
  { name: 'on 200 columns', width: 200 },
])('recordings $name', ({ width }) => {
  const label = width === undefined ? 'pipe' : `w${width}`;
  const progress = width === undefined ? '' : '<PROGRESS>';
  const statePath = join(base, `state-${label}`);
  const target = join(base, `restored-${label}`);
  let url: string;
  beforeAll(async () => {
    url = await azurite.createContainer(label);
  });

  const beginning = (how: string) =>
    `INFO: CLFSLoad Extension version: VERSION\nINFO: CLFSLoad Extension configurations: compression type=DISABLED, preserve hard links=false\nINFO: ${how}\nINFO: Init phase has started.\n`;
  const summary = (status: string) =>
    `\nElapsed Time (Minutes): N\nTotal Number Of Transfers: N\nNumber of Transfers Completed: N\nNumber of Transfers Failed: 0\nNumber of Transfers Skipped: 0\nTotalBytesTransferred: N\nFinal Job Status: ${status}\n`;

  /** Without what depends on the pace: whether sizing came first, and where the line of progress was when a phase began or ended. */
  const atItsPace = (text: string) =>
    text
      .replace(/(<PROGRESS>)?INFO: ACLs and .*\n/, '')
      .replace(/(<PROGRESS>)?INFO: Finalize/, `${progress}INFO: Finalize`)
      .replace(/(INFO: Finalize .*\n)<PROGRESS><ERASED>/, '$1');

  it('a load, and its stop', async () => {
    const args = ['load', source, url, `--state-path=${statePath}`, ...SLOW];
    const text = recording(await stopped(width, args, width === undefined ? /Transfer phase/ : /\r[^\r\n]*\/s/), width);
    // How long it takes to stop differs.
    expect(text.replace('<PROGRESS>INFO: The job was', 'INFO: The job was')).toBe(
      `${beginning('Starting a new job.')}INFO: Transfer phase has started.\n${progress}INFO: stopping; once more stops at once\nINFO: The job was stopped. What is done is recorded.\nINFO: N entries done, 0 failed, N pending.\nINFO: More: BASE/state-${label}/clfsload.log (log)\nINFO: Before going on, put the container URL with a SAS into CLFS_URL: export CLFS_URL="http://127.0.0.1:PORT/devstoreaccount1/${label}?SAS"\nINFO: To go on: clfsload resume "BASE/state-${label}" env:CLFS_URL\n${summary('Cancelled')}`,
    );
  });

  it('its resume', async () => {
    const text = recording(await run(width, ['resume', statePath, url, '--cap-mbps=8']), width);
    // Only when the stop has left something.
    expect(atItsPace(text.replace(/(<PROGRESS>)?INFO: Cleanup phase has started\.\n/, ''))).toBe(
      `${beginning('Continuing the existing job.')}INFO: Transfer phase has started.\n${progress}INFO: Finalize phase has started.\n${summary('Completed')}`,
    );
  });

  it('a load that comes to its end by itself', async () => {
    const whole = await azurite.createContainer(`whole-${label}`);
    const args = ['load', source, whole, `--state-path=${statePath}-whole`, ...SLOW];
    const text = recording(await run(width, args), width);
    expect(atItsPace(text)).toBe(
      `${beginning('Starting a new job.')}INFO: Transfer phase has started.\n${progress}INFO: Finalize phase has started.\n${summary('Completed')}`,
    );
  });

  const slowUrl = () => url.replace(`:${azurite.port}/`, `:${proxy.port}/`);

  it('an export', async () => {
    const text = recording(await run(width, ['export', slowUrl(), target]), width);
    expect(text).toBe(`${progress}21 entries written (4.8M), 0 replaced, 0 there already, 0 failed\n`);
  });

  it('a verify', async () => {
    const text = recording(await run(width, ['verify', target, slowUrl(), '--content']), width);
    expect(text).toBe(
      `${progress}21 same, 0 different, 0 only in the source, 0 only in the container, 0 could not be checked; 20 files compared byte by byte (4.8M)\n`,
    );
  });
});

it('results that another program shows on the same terminal do not stand behind the line of progress', async () => {
  const url = await azurite.createContainer('read-on');
  const load = ['load', source, url, `--state-path=${join(base, 'state-read-on')}`, '--compression-type=DISABLED'];
  expect((await runProgram('clfsload', load)).code).toBe(0);
  const slow = url.replace(String(azurite.port), String(proxy.port));
  const { stdout } = await startOnTerminal('clfsload', ['manifest', slow, '--hash'], 80, 'cat').done;
  const shown = stdout.replaceAll('\r\n', '\n').replace(ESCAPES, '');
  expect(shown).toMatch(/\r[^\r\n]*\/s/);
  const before = [...shown.matchAll(/([^\n]*?)\{"path/g)].map(([, text]) => text);
  expect(before.length).toBe(21);
  // Nothing, or a line that was erased.
  for (const text of before) expect(text).toMatch(/^(?:[^\n]*\r +\r)?$/);
});
