import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Azurite, freePort, startAzurite } from './support/azurite.js';
import { runProgram, startProgram } from './support/program.js';
import { isRoot, removeTree } from './support/tree.js';

describe('bad input is refused with a reason, and leaves nothing behind', () => {
  const base = mkdtempSync(join(tmpdir(), 'clfs-bad-'));
  let source = '';
  let state = '';
  let destination = '';
  let count = 0;
  let azurite: Azurite;
  beforeAll(async () => {
    azurite = await startAzurite();
  });
  afterAll(async () => {
    await azurite.stop();
    removeTree(base);
  });
  beforeEach(() => {
    const place = join(base, String(count++));
    mkdirSync(place);
    source = join(place, 'source');
    state = join(place, 'state');
    destination = join(place, 'destination');
    mkdirSync(source);
    writeFileSync(join(source, 'file'), 'content');
  });

  /** Runs a load that must be refused. */
  async function refused(
    args: readonly string[],
    message: string | RegExp,
    env: NodeJS.ProcessEnv = {},
  ): Promise<void> {
    const stateBefore = existsSync(state) ? readdirSync(state) : undefined;
    const destinationBefore = existsSync(destination) ? readdirSync(destination) : undefined;
    const run = await runProgram('azcopy', ['load', 'clfs', ...args], env);
    const output = run.stdout + run.stderr;
    if (typeof message === 'string') expect(output).toContain(message);
    else expect(output).toMatch(message);
    expect(run.code).toBe(1);
    expect(output).not.toMatch(/sig=(?!-REDACTED-)/);
    const after = existsSync(state)
      ? readdirSync(state).filter((name) => name !== 'lock' || stateBefore?.includes(name))
      : undefined;
    expect(after).toEqual(stateBefore);
    expect(existsSync(destination) ? readdirSync(destination) : undefined).toEqual(destinationBefore);
  }
  const load = (...more: string[]) => [source, destination, `--state-path=${state}`, ...more];

  it('source missing', () =>
    refused(
      [join(source, 'none'), destination, `--state-path=${state}`],
      /the source cannot be accessed due to error: .*no such file or directory/,
    ));
  it('source not a directory', () =>
    refused(
      [join(source, 'file'), destination, `--state-path=${state}`],
      /the source cannot be accessed due to error: /,
    ));
  it('state path not given', () =>
    refused([source, destination], 'Cannot start job due to error: please specify a state-path'));
  it('state path not a directory', () => {
    const file = join(base, `file-${count}`);
    writeFileSync(file, 'x');
    return refused([source, destination, `--state-path=${file}`], 'is not a directory');
  });
  it('state path without a parent', () =>
    refused(
      [source, destination, `--state-path=${join(state, 'a', 'b')}`],
      /its parent .* is not an existing directory/,
    ));
  it('state path not empty', () => {
    mkdirSync(state);
    writeFileSync(join(state, 'foreign'), 'x');
    return refused(load(), 'is not empty');
  });
  it('state path that holds a job: says how to go on', async () => {
    expect((await runProgram('azcopy', ['load', 'clfs', ...load()])).code).toBe(0);
    await refused(load(), '--new-session=false');
  });
  it('state path missing, empty or foreign for a resumed job', async () => {
    await refused(load('--new-session=false'), 'does not exist');
    mkdirSync(state);
    await refused(load('--new-session=false'), 'is empty');
    writeFileSync(join(state, 'foreign'), 'x');
    await refused(load('--new-session', 'false'), 'holds no job');
  });
  it('state that is damaged, truncated or of a newer version', async () => {
    mkdirSync(state);
    writeFileSync(join(state, 'job.db'), 'this is not a database at all, and longer than a header is');
    await refused(load('--new-session=false'), 'not a database, or is damaged');
    writeFileSync(join(state, 'job.db'), '');
    await refused(load('--new-session=false'), 'holds no job');
  });
  it('state on a full disk', async () => {
    await refused([source, destination, '--state-path=/dev/full/state'], /parent .* is not an existing directory/);
  });
  it('state used by another live process', async () => {
    // A source that never ends keeps the first one busy: a fifo as container is not possible, so it waits for the
    // service.
    const port = await freePort();
    const url = `http://127.0.0.1:${port}/devstoreaccount1/busy?sv=2021-12-02&sig=c2ln`;
    mkdirSync(state);
    const first = startProgram('azcopy', ['load', 'clfs', source, url, `--state-path=${state}`]);
    while (!existsSync(join(state, 'lock'))) await new Promise((resolve) => setTimeout(resolve, 20));
    const second = await runProgram('azcopy', ['load', 'clfs', source, url, `--state-path=${state}`]);
    first.child.kill('SIGKILL');
    await first.done;
    expect(second.stdout).toMatch(/Another process is working|is not empty/);
    expect(second.code).toBe(1);
  });
  it('state or destination inside the source, and the source inside them', async () => {
    await refused(
      [source, destination, `--state-path=${join(source, 'state')}`],
      /state directory .* is inside the source/,
    );
    await refused([source, join(source, 'container'), `--state-path=${state}`], /destination .* is inside the source/);
    await refused([source, join(source, '..'), `--state-path=${state}`], /source .* is inside the destination/);
    await refused(
      [source, destination, `--state-path=${join(source, '..')}`],
      /source .* is inside the state directory/,
    );
    await refused(
      [source, destination, `--state-path=${join(destination, 'state')}`],
      /state directory .* is inside the destination/,
    );
  });
  it('destination without a parent, not a directory, or not empty', async () => {
    await refused([source, join(destination, 'a', 'b'), `--state-path=${state}`], /its parent .* does not exist/);
    await refused([source, join(source, 'file'), `--state-path=${state}`], /inside the source/);
    await refused(
      [source, join(base, 'container'), `--state-path=${state}`, `--manifest=${join(source, 'manifest')}`],
      /manifest .* is inside the source/,
    );
    await refused(
      [source, destination, `--state-path=${state}`, `--manifest=${join(destination, 'manifest')}`],
      /manifest .* is inside the destination/,
    );
    mkdirSync(destination);
    writeFileSync(join(destination, 'something'), 'x');
    await refused(load(), 'is not empty. Load into an empty one');
  });
  it('container missing', () =>
    refused([source, azurite.sasUrl('missing'), `--state-path=${state}`], 'does not exist'));
  it('container not empty', async () => {
    const url = await azurite.createContainer(`full-${count}`);
    await azurite.client(`full-${count}`).uploadBlockBlob('blob', 'x', 1);
    await refused([source, url, `--state-path=${state}`], 'is not empty');
  });
  it('no permission', async () => {
    await azurite.createContainer(`reader-${count}`);
    await refused(
      [source, azurite.sasUrl(`reader-${count}`, { permissions: 'rl' }), `--state-path=${state}`],
      /refused access .*Check that the SAS/,
    );
  });
  it('expired SAS', () =>
    refused(
      [source, azurite.sasUrl('any', { expiresOn: new Date(Date.now() - 1000) }), `--state-path=${state}`],
      'The SAS expired at',
    ));
  it('malformed SAS', async () => {
    const account = 'https://account.blob.core.windows.net/container';
    await refused(
      [source, account, `--state-path=${state}`],
      'the destination is not a valid Container URL with SAS, please refer to the examples',
    );
    await refused(
      [source, `${account}?sv=2021-12-02`, `--state-path=${state}`],
      'the SAS has no "sig" field: a shell cuts a URL at each "&" that is not quoted',
    );
    await refused(
      [source, join(base, 'on-disk'), `--state-path=${state}`, '--cap-mbps=5'],
      'a container on disk has none',
    );
    await refused(
      [source, `${account}?sv=2021-12-02&sig=abc&se=tomorrow`, `--state-path=${state}`],
      'malformed "se" field',
    );
  });
  it('wrong signature', async () => {
    const url = await azurite.createContainer(`wrong-${count}`);
    await refused([source, url.replace(/sig=[^&]*/, 'sig=d3Jvbmc%3D'), `--state-path=${state}`], 'refused access');
  });
  it('no container or a blob path in the URL', async () => {
    await refused(
      [source, 'https://account.blob.core.windows.net/?sv=1&sig=s', `--state-path=${state}`],
      'it names no container',
    );
    await refused(
      [source, 'https://account.blob.core.windows.net/container/blob?sv=1&sig=s', `--state-path=${state}`],
      'it names a blob in the container',
    );
    await refused(
      [source, 'http://127.0.0.1:10000/devstoreaccount1?sv=1&sig=s', `--state-path=${state}`],
      'it names no account and container',
    );
    await refused(
      [source, 'https://account.blob.core.windows.net/UPPER?sv=1&sig=s', `--state-path=${state}`],
      'is no container name',
    );
  });
  it('a URL that lacks its beginning, whose SAS would be in the name of a directory', async () => {
    for (const url of ['account.blob.core.windows.net/container?sv=1&sig=secret', 'abfss://container@account/'])
      await refused([source, url, `--state-path=${state}`], 'The URL of a container begins with "https://"');
    const { stderr, code } = await runProgram('clfsload', ['ls', 'account/container?sig=secret']);
    expect(stderr).toBe(
      'The URL of a container begins with "https://", not as "account/container?sig=-REDACTED-" does. A directory of such a name is given as file:///PATH.\n',
    );
    expect(code).toBe(2);
  });
  it('server not answering', async () => {
    const port = await freePort();
    await refused(
      [source, `http://127.0.0.1:${port}/devstoreaccount1/container?sv=2021-12-02&sig=c2ln`, `--state-path=${state}`],
      'No usable answer',
    );
    const url = `http://127.0.0.1:${port}/devstoreaccount1/container?sv=2021-12-02&sig=c2ln`;
    await refused([source, url, `--state-path=${state}`, '--retry-window=3s'], /It is tried for 3 s .* over [34] s: /s);
    const { stderr, code } = await runProgram('clfsload', ['ls', url, '--retry-window=4s']);
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^Waiting for http:\S+: no answer yet after 2 s \(connect ECONNREFUSED \S+\)\. It is tried for 4 s \(--retry-window\)\.\nNo usable answer from \S+ in \d+ tries over [45] s: .*--retry-window/,
    );
  });
  it('unknown flag, wrong value, wrong number of arguments', async () => {
    await refused(load('--bogus'), 'unknown flag: --bogus');
    await refused(load('--compression-type=ZIP'), '--compression-type');
    await refused(load('--log-level=LOUD'), '--log-level');
    await refused(load('--max-errors=-1'), '--max-errors');
    await refused(load('--max-errors=4294967296'), '--max-errors');
    await refused(load('--cap-mbps=fast'), '--cap-mbps');
    await refused(load('--new-session=maybe'), '--new-session');
    await refused(load('--output-type=xml'), '--output-type');
    await refused(
      [source, `--state-path=${state}`],
      'please pass two arguments: the path to the local source data, and the URL to the container',
    );
    await refused([...load(), 'third'], 'please pass two arguments');
  });
  it('resume with another source, container, compression or link setting', async () => {
    const run = await runProgram('azcopy', ['load', 'clfs', ...load()]);
    expect(run.code).toBe(0);
    const other = join(base, `other-${count}`);
    mkdirSync(other);
    await refused([other, destination, `--state-path=${state}`, '--new-session=false'], 'was started with source');
    await refused(load('--new-session=false', '--compression-type=disabled'), 'was started with compression');
    await refused(load('--new-session=false', '--preserve-hardlinks'), 'was started with --preserve-hardlinks');
    await refused([source, other, `--state-path=${state}`, '--new-session=false'], 'has no bucket object');
    const second = join(base, `second-${count}`);
    expect((await runProgram('azcopy', ['load', 'clfs', source, second, `--state-path=${state}-2`])).code).toBe(0);
    await refused([source, second, `--state-path=${state}`, '--new-session=false'], 'belongs to another load');
  });

  it.skipIf(!isRoot)('source and state that an ordinary user may not use (as root: by setpriv)', async () => {
    chmodSync(source, 0o700);
    chmodSync(base, 0o755);
    const { execFileSync } = await import('node:child_process');
    const program = new URL('../bin/azcopy', import.meta.url).pathname;
    const asUser = (...args: string[]) => {
      try {
        return execFileSync(
          'setpriv',
          ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, program, 'load', 'clfs', ...args],
          {
            encoding: 'utf8',
            stdio: 'pipe',
          },
        );
      } catch (error) {
        return String((error as { stdout: string }).stdout) + String((error as { stderr: string }).stderr);
      }
    };
    expect(asUser(...load())).toContain('permission denied');
    chmodSync(source, 0o755);
    expect(asUser(...load())).toMatch(/Cannot make the state directory .*(permission denied|EACCES)/);
    expect(readdirSync(join(source, '..'))).toEqual(['source']);
  });
});
