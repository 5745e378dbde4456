import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Azurite, startAzurite } from './support/azurite.js';
import { runProgram } from './support/program.js';
import { isRoot, removeTree } from './support/tree.js';

// npm run test:azcopy. Needs the network for npm, and Debian's libsecret-1-0.

const cache = new URL('../bench/.cache', import.meta.url).pathname;
const base = mkdtempSync(join(tmpdir(), 'clfs-azcopy-'));
const source = join(base, 'source');
const path = join(base, 'path');
let azurite: Azurite;
let number = 0;

beforeAll(async () => {
  azurite = await startAzurite();
  chmodSync(base, 0o755);
  for (const directory of [source, path, join(source, 'dir'), join(base, 'home')]) mkdirSync(directory);
  chmodSync(join(base, 'home'), 0o777);
  for (let file = 0; file < 300; file++) writeFileSync(join(source, 'dir', `file-${file}`), `content of ${file}`);
  linkSync(join(source, 'dir', 'file-0'), join(source, 'hard-link'));
  symlinkSync('dir/file-1', join(source, 'symlink'));
  symlinkSync(new URL('../bin/CLFSLoad.py', import.meta.url).pathname, join(path, 'CLFSLoad.py'));
});
afterAll(async () => {
  await azurite.stop();
  removeTree(base);
});

function install(version: string): string {
  const place = join(cache, version);
  const binary = join(place, 'node_modules/@azure-tools/azcopy-linux/dist/bin/azcopy_linux_amd64');
  if (!existsSync(binary)) {
    mkdirSync(place, { recursive: true });
    execFileSync('npm', [
      'install',
      '--silent',
      '--no-save',
      '--prefix',
      place,
      `@azure-tools/azcopy-linux@${version}`,
    ]);
    chmodSync(binary, 0o755);
  }
  return binary;
}

describe.each(['10.10.0', '10.14.1'])('azcopy %s load clfs', (version) => {
  let azcopy: string;
  beforeAll(() => {
    azcopy = install(version);
  });

  /** Runs azcopy as an ordinary user, for whom unreadable files are unreadable. */
  function run(...args: string[]) {
    const ordinary = isRoot ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : ['env'];
    const result = spawnSync(ordinary[0], [...ordinary.slice(1), azcopy, 'load', 'clfs', ...args], {
      encoding: 'utf8',
      env: {
        PATH: `${path}:${process.env.PATH}`,
        HOME: join(base, 'home'),
        CLFSLOAD_BLOB_ENDPOINT: `http://127.0.0.1:${azurite.port}/devstoreaccount1`,
      },
    });
    return { code: result.status, output: result.stdout + result.stderr };
  }
  async function place() {
    const container = `c${version.replaceAll('.', '')}-${++number}`;
    const real = await azurite.createContainer(container);
    return {
      url: `https://account.blob.core.windows.net/${container}?${real.split('?')[1]}`,
      real,
      state: join(base, 'home', `state-${number}`),
    };
  }

  it('a new job, resumed when it is finished', async () => {
    const { url, real, state } = await place();
    const first = run(source, url, `--state-path=${state}`);
    expect(first.output).toMatch(/INFO: CLFSLoad Extension version: \d+\.\d+\.\d+\n/);
    for (const text of [
      'compression type=LZ4, preserve hard links=false',
      'Starting a new job.',
      'Transfer phase has started.',
      'Finalize phase has started.',
    ])
      expect(first.output).toContain(
        `INFO: ${text.startsWith('compression') ? `CLFSLoad Extension configurations: ${text}` : text}`,
      );
    expect(first.output).toContain(
      'Total Number Of Transfers: 304\nNumber of Transfers Completed: 304\nNumber of Transfers Failed: 0\n',
    );
    expect(first.output).toContain('Final Job Status: Completed');
    expect(first.code).toBe(0);
    expect((await runProgram('clfsload', ['verify', source, real, '--content'])).code).toBe(0);
    const again = run(source, url, `--state-path=${state}`, '--new-session=false');
    expect(again.output).toContain('This job is finished already');
    expect(again.output).toContain('Final Job Status: Completed');
    expect(again.code).toBe(0);
  });

  it('hard links, in JSON', async () => {
    const { url, real, state } = await place();
    const { output, code } = run(source, url, `--state-path=${state}`, '--preserve-hardlinks', '--output-type=json');
    const messages = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { MessageType: string; MessageContent: string });
    expect(messages.some(({ MessageContent }) => MessageContent === 'INFO: Reconcile phase has started.')).toBe(true);
    expect(JSON.parse(messages.at(-1)?.MessageContent ?? '')).toMatchObject({
      files_total: 303,
      files_completed_success: 303,
      final_job_status: 'Completed',
    });
    expect(code).toBe(0);
    const stat = await runProgram('clfsload', ['stat', real, 'hard-link', '--json']);
    expect((JSON.parse(stat.stdout) as { nlink: number }).nlink).toBe(2);
  });

  it('a failure, --max-errors, and a resume that mends it', async () => {
    const { url, real, state } = await place();
    const bad = join(source, 'dir', 'file-7');
    chmodSync(bad, 0);
    try {
      const tolerated = run(source, url, `--state-path=${state}`, '--max-errors=3');
      expect(tolerated.output).toContain('Number of Transfers Failed: 1\n');
      expect(tolerated.output).toContain('Final Job Status: CompletedWithErrors');
      for (const name of ['file-8', 'file-9']) chmodSync(join(source, 'dir', name), 0);
      const second = await place();
      const stopped = run(source, second.url, `--state-path=${second.state}`, '--max-errors=2');
      expect(stopped.output).toContain('3 entries failed, more than --max-errors=2 allows');
      expect(stopped.output).toContain('Final Job Status: Failed');
    } finally {
      for (const name of ['file-7', 'file-8', 'file-9']) chmodSync(join(source, 'dir', name), 0o644);
    }
    const resumed = run(source, url, `--state-path=${state}`, '--new-session=false');
    expect(resumed.output).toContain('Final Job Status: Completed\n');
    expect((await runProgram('clfsload', ['verify', source, real, '--content'])).code).toBe(0);
  });

  it('a state directory that is in use, and a foreign host', async () => {
    const { url, state } = await place();
    mkdirSync(state);
    writeFileSync(join(state, 'something'), '');
    const refused = run(source, url, `--state-path=${state}`);
    expect(refused.output).toMatch(/not empty/);
    expect(refused.output).not.toContain('Final Job Status: Completed');
    rmSync(state, { recursive: true });
    const foreign = run(source, url.replace('windows.net/', 'windows.net.evil.example/'), `--state-path=${state}`);
    expect(foreign.output).toContain('is not the name of a storage account');
  });
});
