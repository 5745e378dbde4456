import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Azurite, startAzurite } from './support/azurite.js';
import { runProgram } from './support/program.js';
import { removeTree, someBytes } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-extension-'));
const source = join(base, 'source');
let azurite: Azurite;
let env: NodeJS.ProcessEnv;
let number = 0;
const fresh = (name: string) => join(base, `${name}-${++number}`);

beforeAll(async () => {
  azurite = await startAzurite();
  env = { CLFSLOAD_BLOB_ENDPOINT: `http://127.0.0.1:${azurite.port}/devstoreaccount1/` };
  mkdirSync(source);
  for (const name of ['a', 'b']) writeFileSync(join(source, name), name);
});
afterAll(async () => {
  await azurite.stop();
  removeTree(base);
});

/** The five arguments, into a new container. */
async function five(state: string, from = source): Promise<string[]> {
  const name = `container-${++number}`;
  return [state, from, 'account', name, (await azurite.createContainer(name)).split('?')[1]];
}
/** What azcopy 10.14 passes on. */
const AZCOPY = [
  '--azcopy',
  '--dry_run',
  '--retry_errors=1',
  '--compression=LZ4',
  '--preserve_hardlinks=0',
  '--log_level=INFO',
];
const masked = (text: string) =>
  text
    .replaceAll(base, 'BASE')
    .replace(/"version":"\d+\.\d+\.\d+"/g, '"version":"VERSION"')
    .replace(/"elapsed":[\d.]+/g, '"elapsed":X');

describe('as azcopy runs it', () => {
  it('a new job, and a finished one again', async () => {
    const args = await five(fresh('state'));
    const run = await runProgram('CLFSLoad.py', [...args, ...AZCOPY, '--new'], env);
    expect(masked(run.stdout)).toBe(
      [
        'AZCOPY-CONFIG:{"compression":"LZ4","new":true,"preserve_hardlinks":false,"version":"VERSION"}',
        'AZCOPY-INFO:{"phase":"Init"}',
        'AZCOPY-INFO:{"phase":"Transfer"}',
        'AZCOPY-INFO:{"phase":"Finalize"}',
        'AZCOPY-FINAL:{"elapsed":X,"files_completed_failed":0,"files_completed_success":3,"files_skipped":0,"files_total":3,"final_job_status":"Completed","total_bytes_transferred":2,"phase":"Done"}',
        '',
      ].join('\n'),
    );
    expect(run).toMatchObject({ code: 0, stderr: '' });
    const again = await runProgram('CLFSLoad.py', [...args, ...AZCOPY], env);
    expect(again.stdout).toContain('"new":false');
    expect(again.stdout).toContain('ERR This job is finished already: everything is in the container.\n');
    expect(again.code).toBe(0);
  });

  it('progress is sound JSON with whole counts, and no line is long', async () => {
    const slow = fresh('slow');
    mkdirSync(slow);
    for (let file = 0; file < 8; file++) writeFileSync(join(slow, `f${file}`), someBytes(3_000_000, file));
    const args = await five(fresh('state'), slow);
    const run = await runProgram(
      'CLFSLoad.py',
      [...args, ...AZCOPY, '--compression=DISABLED', '--new', '--worker_thread_count=1'],
      env,
    );
    expect(run.code).toBe(0);
    for (const line of run.stdout.trim().split('\n')) {
      expect(line.length).toBeLessThan(65_536);
      if (line.startsWith('ERR ')) continue;
      const content = JSON.parse(line.replace(/^AZCOPY(-\w+)?:/, '')) as Record<string, number>;
      for (const [field, value] of Object.entries(content))
        if (field.startsWith('files_')) expect(Number.isInteger(value)).toBe(true);
    }
  });

  it("the second --retry_errors is the user's --max-errors", async () => {
    const state = fresh('state');
    const args = await five(state);
    const run = await runProgram(
      'CLFSLoad.py',
      [...args, ...AZCOPY, '--retry_errors=7', '--new', '--preserve_hardlinks=1'],
      env,
    );
    expect(run.code).toBe(0);
    expect(run.stdout).toContain('"preserve_hardlinks":true');
    expect(readFileSync(join(state, 'clfsload.log'), 'utf8')).toContain('at most 7 failures');
  });

  it('refuses with a line that azcopy shows, and exit code 1', async () => {
    const args = await five(fresh('state'));
    const used = fresh('used');
    mkdirSync(used);
    writeFileSync(join(used, 'something'), '');
    const attempts: [string[], RegExp][] = [
      [
        [...args.slice(0, 2), 'evil.example/x', ...args.slice(3), '--new'],
        /^ERR "evil.example\/x" is not the name of a storage account .* sent nowhere\.\n$/,
      ],
      [[used, ...args.slice(1), '--new'], /^ERR .*not empty/],
      [[fresh('none'), ...args.slice(1)], /^ERR /],
      [[join(base, 'no', 'parent'), ...args.slice(1), '--new'], /^ERR /],
      [[args[0], join(base, 'nowhere'), ...args.slice(2), '--new'], /^ERR Cannot read the source/],
      [[...args, '--new', '--compression=ZIP'], /^ERR invalid argument for "--compression"/],
      [args.slice(0, 4), /^ERR please pass five arguments/],
      [[...args, '--bogus'], /^ERR unknown flag: --bogus/],
    ];
    for (const [attempt, message] of attempts) {
      const run = await runProgram('CLFSLoad.py', [...attempt, '--azcopy'], env);
      expect(run.stdout).toMatch(message);
      expect(run.code).toBe(1);
    }
  });
});

describe("CLFSLoad's own command line", () => {
  it('loads, and tells it in words', async () => {
    const state = fresh('state');
    const args = await five(state);
    const run = await runProgram(
      'CLFSLoad.py',
      [...args, '--new', '--preserve_hardlinks', '--max_errors=0', '--dry_run_count=3', '--dry_run_gb=0.1'],
      env,
    );
    expect(run.stdout).toContain('INFO: Transfer phase has started.\n');
    expect(run.stdout).toContain('preserve hard links=true');
    expect(run.stdout).toMatch(/Final Job Status: Completed\n$/);
    expect(run.code).toBe(0);
    expect(readFileSync(join(state, 'clfsload.log'), 'utf8')).toContain('at most 4294967295 failures');
    expect((await runProgram('CLFSLoad.py', ['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect((await runProgram('CLFSLoad.py', ['--help'])).stdout).toContain('target_storage_account');
    // What it says is in its own flags.
    const again = await runProgram('CLFSLoad.py', [...args, '--new'], env);
    expect(again.stdout).toMatch(/Go on with it without --new, or name another state path for a new one\.\n$/);
    const other = await runProgram('CLFSLoad.py', [...args, '--preserve_hardlinks=0'], env);
    expect(other.stdout).toContain('was started with --preserve_hardlinks true, not false.');
    const away = { CLFSLOAD_BLOB_ENDPOINT: 'http://127.0.0.1:1/devstoreaccount1' };
    const unanswered = await runProgram('CLFSLoad.py', [fresh('away'), ...args.slice(1), '--new'], away);
    expect(unanswered.stdout).toContain('No usable answer');
    expect(unanswered.stdout).not.toContain('--retry-window');
    const wrong = await runProgram('CLFSLoad.py', ['a', 'b']);
    expect(wrong).toMatchObject({
      code: 1,
      stdout: '',
      stderr: 'Error: please pass five arguments: state path, source, storage account, container, SAS\n',
    });
  });
});
