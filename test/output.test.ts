import { execFileSync } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Azurite, startAzurite } from './support/azurite.js';
import { runOnTerminal, runProgram, startProgram } from './support/program.js';
import { isRoot, removeTree, someBytes } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-output-'));
const source = join(base, 'source');
const linked = join(base, 'linked');
const slow = join(base, 'slow');
let azurite: Azurite;
let number = 0;
const fresh = (name: string) => join(base, `${name}-${++number}`);
/** A cap that makes the slow source take about five seconds. */
const SLOW = ['--cap-mbps=8', '--compression-type=DISABLED'];

beforeAll(async () => {
  chmodSync(base, 0o755);
  for (const directory of [source, linked, slow]) mkdirSync(directory);
  for (const name of ['a', 'b', 'c']) writeFileSync(join(source, name), name.repeat(100));
  writeFileSync(join(linked, 'one'), 'linked');
  linkSync(join(linked, 'one'), join(linked, 'two'));
  for (let file = 0; file < 20; file++) writeFileSync(join(slow, `file-${file}`), someBytes(250_000, file));
  azurite = await startAzurite();
});
afterAll(async () => {
  await azurite.stop();
  removeTree(base);
});

/** Takes out what differs from run to run. */
function masked(text: string): string {
  return text
    .replaceAll(base, 'BASE')
    .replace(/-\d+(?=[/" ]|$)/gm, '-N')
    .replace(/version: \d+\.\d+\.\d+/g, 'version: VERSION')
    .replace(/"version":"\d+\.\d+\.\d+"/g, '"version":"VERSION"')
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID')
    .replace(/"TimeStamp":"[^"]*"/g, '"TimeStamp":"TIME"')
    .replace(/(\\?"(?:elapsed|time_report|time_eta)\\?":)[\d.]+/g, '$1X')
    .replace(/Minutes\): \d+\.\d{4}\n/g, 'Minutes): MINUTES\n');
}

const BEGINNING = (how: string, links = false) => [
  'INFO: CLFSLoad Extension version: VERSION',
  `INFO: CLFSLoad Extension configurations: compression type=LZ4, preserve hard links=${links}`,
  `INFO: ${how}`,
  'INFO: Init phase has started.',
];
/** A source whose listing was cut off, and that was not sized. */
const NOT_COUNTED =
  'INFO: ACLs and extended attributes, which the format cannot hold, were not counted: the load ended before its source had been sized. "clfsload load --dry-run" counts them.';
const END = (total: number, done: number, failed: number, bytes: number, status: string) => [
  '',
  'Elapsed Time (Minutes): MINUTES',
  `Total Number Of Transfers: ${total}`,
  `Number of Transfers Completed: ${done}`,
  `Number of Transfers Failed: ${failed}`,
  'Number of Transfers Skipped: 0',
  `TotalBytesTransferred: ${bytes}`,
  `Final Job Status: ${status}`,
];
const lines = (...parts: (string | string[])[]) => `${parts.flat().join('\n')}\n`;

describe('load, as text on a pipe', () => {
  it('a new job, and one that is finished already', async () => {
    const state = fresh('state');
    const container = fresh('container');
    const first = await runProgram('azcopy', ['load', 'clfs', source, container, '--state-path', state]);
    expect(masked(first.stdout)).toBe(
      lines(
        BEGINNING('Starting a new job.'),
        'INFO: Transfer phase has started.',
        'INFO: Finalize phase has started.',
        END(4, 4, 0, 300, 'Completed'),
      ),
    );
    expect(first).toMatchObject({ code: 0, stderr: '' });
    const again = await runProgram('azcopy', [
      'load',
      'clfs',
      source,
      container,
      '--state-path',
      state,
      '--new-session=false',
    ]);
    expect(masked(again.stdout)).toBe(
      lines(
        BEGINNING('Continuing the existing job.'),
        'INFO: This job is finished already: everything is in the container.',
        END(4, 4, 0, 300, 'Completed'),
      ),
    );
    expect(again.code).toBe(0);
  });

  it('with hard links', async () => {
    const run = await runProgram('clfsload', [
      'load',
      linked,
      fresh('container'),
      '--state-path',
      fresh('state'),
      '--preserve-hardlinks=true',
    ]);
    expect(masked(run.stdout)).toBe(
      lines(
        BEGINNING('Starting a new job.', true),
        'INFO: Transfer phase has started.',
        'INFO: Reconcile phase has started.',
        'INFO: Finalize phase has started.',
        END(2, 2, 0, 6, 'Completed'),
      ),
    );
  });

  it.runIf(isRoot)('with a failure, stopped by too many, and repaired', async () => {
    const broken = fresh('broken');
    mkdirSync(broken);
    for (const name of ['good', 'bad']) writeFileSync(join(broken, name), name);
    chmodSync(join(broken, 'bad'), 0o600);
    const own = fresh('own');
    mkdirSync(own);
    chmodSync(own, 0o777);
    const program = new URL('../bin/clfsload', import.meta.url).pathname;
    const ordinary = (...flags: string[]) => {
      const args = [
        '--reuid=65534',
        '--regid=65534',
        '--clear-groups',
        process.execPath,
        program,
        'load',
        broken,
        join(own, 'container'),
        `--state-path=${own}/state`,
      ];
      try {
        return { code: 0, stdout: execFileSync('setpriv', [...args, ...flags], { encoding: 'utf8' }) };
      } catch (error) {
        const { status, stdout } = error as { status: number; stdout: string };
        return { code: status, stdout };
      }
    };
    const problems = (done: number, pending: number) => [
      `INFO: ${done} ${done === 1 ? 'entry' : 'entries'} done, 1 failed, ${pending} pending.`,
      'INFO: Failed, entry-unreadable: 1 entry',
      'INFO:   BASE/broken-N/bad',
      'INFO: More: BASE/own-N/state/problems.txt (paths), BASE/own-N/state/failures.jsonl (with reasons), BASE/own-N/state/clfsload.log (log)',
      `INFO: ${pending === 0 ? 'To try what failed again' : 'To go on'}: clfsload resume "BASE/own-N/state"`,
    ];
    const transfer = 'INFO: Transfer phase has started.';
    const stopped = ordinary('--max-errors=0');
    expect(masked(stopped.stdout)).toBe(
      lines(
        BEGINNING('Starting a new job.'),
        transfer,
        'INFO: The job failed: 1 entry failed, more than --max-errors=0 allows. Mend what problems.txt names before going on, or allow more by --max-errors=N: else it ends in the same way again.',
        problems(1, 1),
        END(3, 1, 1, 4, 'Failed'),
      ),
    );
    expect(stopped.code).toBe(1);
    const errors = ordinary('--new-session=false');
    expect(masked(errors.stdout)).toBe(
      lines(
        BEGINNING('Continuing the existing job.'),
        'INFO: Trying 1 failed entry again.',
        transfer,
        'INFO: Finalize phase has started.',
        NOT_COUNTED,
        problems(2, 0),
        END(3, 2, 1, 4, 'CompletedWithErrors'),
      ),
    );
    expect(errors.code).toBe(1);
    const status = masked((await runProgram('clfsload', ['status', `${own}/state`])).stdout);
    expect(status.split('\n').slice(-5, -1)).toEqual([
      'Failed, entry-unreadable: 1 entry',
      '  BASE/broken-N/bad',
      'More: BASE/own-N/state/problems.txt (paths), BASE/own-N/state/failures.jsonl (with reasons)',
      'To try what failed again: clfsload resume "BASE/own-N/state"',
    ]);
    chmodSync(join(broken, 'bad'), 0o644);
    const repaired = ordinary('--new-session=false');
    expect(masked(repaired.stdout)).toBe(
      lines(
        BEGINNING('Continuing the existing job.'),
        'INFO: Trying 1 failed entry again.',
        transfer,
        'INFO: Finalize phase has started.',
        NOT_COUNTED,
        END(3, 3, 0, 7, 'Completed'),
      ),
    );
    expect(repaired.code).toBe(0);
  });

  it('progress is a line of its own, and never 100 %', async () => {
    const url = await azurite.createContainer('pipe');
    const run = await runProgram('azcopy', ['load', 'clfs', slow, url, '--state-path', fresh('state'), ...SLOW]);
    const progress = run.stdout.split('\n').filter((line) => line.includes('Throughput'));
    expect(progress.length).toBeGreaterThanOrEqual(2);
    for (const line of progress) {
      expect(line).toMatch(
        /^\d\d?\.\d %, \d+ Done, 0 Failed, \d+ Pending, 0 Skipped, 21 Total, Throughput \(Mb\/s\): \d+\.\d \((Transfer|Finalize)(, totals still growing)?, overall \d+\.\d Mb\/s(, \d+ s left)?\)$/,
      );
    }
    const [seconds] = /(?<=Minutes\): )[\d.]+/.exec(run.stdout) ?? [];
    expect(Number(seconds) * 60).toBeGreaterThan(4);
  });

  it('stopped by a signal', async () => {
    const url = await azurite.createContainer('stopped');
    const { child, done } = startProgram('azcopy', [
      'load',
      'clfs',
      slow,
      url,
      '--state-path',
      fresh('state'),
      ...SLOW,
    ]);
    await new Promise<void>((resolve) =>
      child.stdout?.on('data', (text: string) => text.includes('Throughput') && resolve()),
    );
    child.kill('SIGINT');
    const run = await done;
    expect(run.stdout).toMatch(
      /INFO: The job was stopped\. What is done is recorded\.\nINFO: \d+ entr(y|ies) done, 0 failed, \d+ pending\.\n.*\nINFO: Before going on, put the container URL with a SAS into CLFS_URL: export CLFS_URL="[^"]+\?SAS"\nINFO: To go on: azcopy clfs resume "[^"]+" env:CLFS_URL\n/,
    );
    expect(run.stdout).toMatch(/Final Job Status: Cancelled\n$/);
    expect(run.code).toBe(1);
    // Without the SAS it says the same, and status too.
    const statePath = join(base, `state-${number}`);
    const [before, toGoOn] = /(?<=Before going on, )(.*)\nINFO: (To go on: .*)/.exec(run.stdout)?.slice(1) ?? [];
    const refused = `Cannot start job due to error: The container needs a SAS, which no state records: ${before}\n${toGoOn}\n`;
    expect(await runProgram('azcopy', ['clfs', 'resume', statePath])).toEqual({ code: 1, stdout: refused, stderr: '' });
    expect((await runProgram('azcopy', ['clfs', 'status', statePath])).stdout).toContain(
      `Before going on, ${before}\n${toGoOn}\n`,
    );
    const [, command] = /^To go on: azcopy (.*)$/.exec(toGoOn) ?? [];
    const pasted = command.split(' ').map((word) => word.replaceAll('"', ''));
    expect((await runProgram('azcopy', pasted, { CLFS_URL: url })).stdout).toContain('Final Job Status: Completed\n');
  });
});

describe('load, on a terminal', () => {
  it('rewrites the progress line, prints messages over it, and takes it away before the summary', async () => {
    const url = await azurite.createContainer('terminal');
    const { stdout, code } = await runOnTerminal('azcopy', [
      'load',
      'clfs',
      slow,
      url,
      '--state-path',
      fresh('state'),
      ...SLOW,
    ]);
    expect(code).toBe(0);
    const progress =
      '\\d\\d?\\.\\d %, \\d+ Done, 0 Failed, \\d+ Pending, 0 Skipped, 21 Total, Throughput \\(Mb/s\\): \\d+\\.\\d \\([^)]*\\)';
    const text = masked(stdout.replaceAll('\r\n', '\n'));
    const beginning = lines(
      BEGINNING('Starting a new job.').map((line) => line.replace('LZ4', 'DISABLED')),
      'INFO: Transfer phase has started.',
    );
    expect(text.slice(0, beginning.length)).toBe(beginning);
    expect(text.slice(beginning.length)).toMatch(
      new RegExp(
        `^(\\r${progress} *)+\\rINFO: Finalize phase has started\\. +\\n(\\r${progress} *)+\\r +\\r\\nElapsed Time \\(Minutes\\): MINUTES\\nTotal Number Of Transfers: 21\\nNumber of Transfers Completed: 21\\nNumber of Transfers Failed: 0\\nNumber of Transfers Skipped: 0\\nTotalBytesTransferred: 5000000\\nFinal Job Status: Completed\\n$`,
      ),
    );
    // Each line covers the one before.
    const shown = [...text.matchAll(/\r([^\r\n]+)/g)].map(([, line]) => line.length);
    for (let at = 1; at < shown.length; at++) expect(shown[at]).toBeGreaterThanOrEqual(shown[at - 1] - 60);
  });

  it('on a narrow one the details are left out, so that the line does not wrap', async () => {
    const url = await azurite.createContainer('narrow');
    const { stdout } = await runOnTerminal(
      'azcopy',
      ['load', 'clfs', slow, url, '--state-path', fresh('state'), ...SLOW],
      100,
    );
    expect(stdout).toContain('Throughput');
    const [first] = /\r[^\r\n]*Throughput[^\r\n]*/.exec(stdout) ?? [''];
    expect(first).not.toContain('overall');
  });

  it('fits also where its usual form does not', async () => {
    const url = await azurite.createContainer('narrower');
    const args = ['load', 'clfs', slow, url, '--state-path', fresh('state'), ...SLOW];
    const { stdout } = await runOnTerminal('azcopy', args, 60);
    const shown = [...stdout.matchAll(/\r(\d[^\r\n]*)/g)].map(([, line]) => line.trimEnd());
    expect(shown.length).toBeGreaterThanOrEqual(2);
    for (const line of shown)
      expect(line).toMatch(/^\d\d?\.\d %, \d+ Done, 0 Failed(, \d+ Pending)?, 21 Total(, \d+\.\d Mb\/s)?$/);
  });
});

describe('load, as JSON', () => {
  it('every line is as docs/output.schema.json says, in order', async () => {
    const schema = JSON.parse(readFileSync(new URL('../docs/output.schema.json', import.meta.url), 'utf8')) as {
      $defs: Record<string, object>;
    };
    const ajv = new Ajv2020({ strict: false });
    const valid = ajv.compile(schema);
    const url = await azurite.createContainer('json');
    const run = await runProgram('azcopy', [
      'load',
      'clfs',
      slow,
      url,
      '--state-path',
      fresh('state'),
      '--output-type=json',
      ...SLOW,
    ]);
    const messages = run.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { MessageType: string; MessageContent: string });
    for (const message of messages) {
      expect(valid(message), JSON.stringify(valid.errors)).toBe(true);
      if (!(message.MessageType in schema.$defs)) continue;
      const check = ajv.compile({
        ...schema,
        oneOf: undefined,
        type: undefined,
        required: undefined,
        properties: undefined,
        additionalProperties: undefined,
        $ref: `#/$defs/${message.MessageType}`,
      });
      expect(check(JSON.parse(message.MessageContent)), JSON.stringify(check.errors)).toBe(true);
    }
    const types = messages.map(({ MessageType }) => MessageType).join(' ');
    expect(types).toMatch(/^Init Info Info Info Info Info (Progress )+Info (Progress )?(Info )?EndOfJob$/);
    const progress = messages
      .filter(({ MessageType }) => MessageType === 'Progress')
      .map(({ MessageContent }) => JSON.parse(MessageContent) as Record<string, number>);
    expect(Object.keys(progress[0])).toEqual(
      'elapsed files_completed_failed files_completed_success files_pending files_skipped files_total pct_complete phase throughput_Mbps throughput_delta_secs time_eta time_report'.split(
        ' ',
      ),
    );
    for (let at = 1; at < progress.length; at++)
      expect(progress[at].pct_complete).toBeGreaterThanOrEqual(progress[at - 1].pct_complete);
  });

  it('whole output of a small job', async () => {
    const run = await runProgram('azcopy', [
      'load',
      'clfs',
      source,
      fresh('container'),
      '--state-path',
      fresh('state'),
      '--output-type',
      'json',
    ]);
    const line = (type: string, content: string) =>
      `{"TimeStamp":"TIME","MessageType":"${type}","MessageContent":${JSON.stringify(content)},"PromptDetails":{"PromptType":"","ResponseOptions":null,"PromptTarget":""}}`;
    expect(masked(run.stdout)).toBe(
      lines(
        line('Init', '{"LogFileLocation":"BASE/state-N/clfsload.log","JobID":"UUID","IsCleanupJob":false}'),
        BEGINNING('Starting a new job.').map((text) => line('Info', text)),
        line('Info', 'INFO: Transfer phase has started.'),
        line('Info', 'INFO: Finalize phase has started.'),
        line(
          'EndOfJob',
          '{"elapsed":X,"files_completed_failed":0,"files_completed_success":4,"files_skipped":0,"files_total":4,"final_job_status":"Completed","total_bytes_transferred":300}',
        ),
      ),
    );
  });

  it('what is wrong with the command line is told in JSON too', async () => {
    const run = await runProgram('clfsload', ['load', source, '--output-type=json', '--bogus']);
    expect(JSON.parse(run.stdout)).toMatchObject({
      MessageType: 'Error',
      MessageContent: 'Error: unknown flag: --bogus\nSee "clfsload load --help".',
    });
    const state = await runProgram('clfsload', ['load', source, fresh('container'), '--output-type=json']);
    expect(JSON.parse(state.stdout)).toMatchObject({
      MessageType: 'Error',
      MessageContent: 'Cannot start job due to error: please specify a state-path',
    });
  });
});

describe('what is refused', () => {
  const attempt = (...args: string[]) => runProgram('azcopy', ['load', 'clfs', ...args]);
  const started = (what: string) => `Cannot start job due to error: ${what}\n`;

  it('in the words of azcopy', async () => {
    const url = 'https://account.blob.core.windows.net/container';
    const destination = 'the destination is not a valid Container URL with SAS, please refer to the examples';
    expect(await attempt(source, fresh('container'))).toEqual({
      code: 1,
      stdout: started('please specify a state-path'),
      stderr: '',
    });
    expect(await attempt(join(base, 'none'), fresh('container'), '--state-path', fresh('state'))).toEqual({
      code: 1,
      stdout: started(
        `the source cannot be accessed due to error: ${JSON.stringify(join(base, 'none'))}: no such file or directory (ENOENT).`,
      ),
      stderr: '',
    });
    expect(await attempt(source, url, '--state-path', fresh('state'))).toEqual({
      code: 1,
      stdout: started(
        `${destination} (it has no SAS: put one behind it, as URL?SAS, or log in by an identity that AZCOPY_AUTO_LOGIN_TYPE names)`,
      ),
      stderr: '',
    });
    expect(await attempt(source, `${url}/blob?sv=1&sig=secret`, '--state-path', fresh('state'))).toEqual({
      code: 1,
      stdout: started(
        `${destination} (it names a blob in the container, not the container: "${url}/blob?sv=1&sig=-REDACTED-")`,
      ),
      stderr: '',
    });
    const usage = (text: string) => ({ code: 1, stdout: '', stderr: `Error: ${text}\n` });
    expect(await attempt(source)).toEqual(
      usage('please pass two arguments: the path to the local source data, and the URL to the container'),
    );
    const see = '\nSee "azcopy load clfs --help".';
    expect(await attempt(source, url, '--bogus')).toEqual(usage(`unknown flag: --bogus${see}`));
    expect(await attempt(source, url, '--compression-type=ZIP')).toEqual(
      usage(`invalid argument for "--compression-type": it takes LZ4 or DISABLED, not "ZIP"${see}`),
    );
    expect(await attempt(source, url, '--log-level=LOUD')).toEqual(
      usage(`invalid argument for "--log-level": it takes DEBUG, INFO, WARNING or ERROR, not "LOUD"${see}`),
    );
    expect((await attempt(source, url, '--max-errors=-1')).stderr).toContain('invalid argument for "--max-errors"');
    expect((await attempt(source, url, '--state-paht=x')).stderr).toContain(
      'unknown flag: --state-paht (Did you mean --state-path?)',
    );
    expect((await runProgram('azcopy', ['load', 'blob'])).stderr).toBe(
      'Error: unknown command "blob" for "azcopy load"\n',
    );
  });
});

describe('the container from elsewhere than the command line', () => {
  it('env:NAME and @FILE', async () => {
    const container = fresh('container');
    const file = fresh('url');
    writeFileSync(file, `${container}\nsecond line\n`);
    const run = await runProgram('clfsload', ['load', source, 'env:CLFS_PLACE', '--state-path', fresh('state')], {
      CLFS_PLACE: container,
    });
    expect(run.code).toBe(0);
    expect((await runProgram('clfsload', ['cat', `@${file}`, 'a'])).stdout).toBe('a'.repeat(100));
    expect((await runProgram('clfsload', ['cat', '@/nowhere', 'a'])).stderr).toContain(
      'the file "/nowhere" with the container URL cannot be read',
    );
    expect((await runProgram('clfsload', ['cat', 'env:NOT_SET', 'a'])).stderr).toBe(
      'Error: the environment variable "NOT_SET" is not set or empty\n',
    );
  });
});

describe('help', () => {
  it('docs/commands.md is what the commands say, and every verb has examples', () => {
    execFileSync(process.execPath, [new URL('../scripts/generate-commands.mjs', import.meta.url).pathname, '--check'], {
      stdio: 'pipe',
    });
    const sections = readFileSync(new URL('../docs/commands.md', import.meta.url), 'utf8')
      .split('\n## ')
      .slice(1);
    expect(sections.length).toBe(18);
    for (const section of sections) if (!section.startsWith('CLFSLoad.py')) expect(section).toContain('Examples:');
  });

  it('completion scripts complete', async () => {
    const { stdout } = await runProgram('clfsload', ['completion', 'bash']);
    const complete = (words: string) =>
      execFileSync(
        'bash',
        [
          '-c',
          `${stdout}\nCOMP_WORDS=(${words}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); if [ "\${COMP_WORDS[0]}" = azcopy ]; then _clfsload_azcopy; else _clfsload; fi; echo "\${COMPREPLY[*]}"`,
        ],
        {
          encoding: 'utf8',
        },
      ).trim();
    expect(complete('clfsload ver')).toBe('verify');
    expect(complete('clfsload load --new')).toBe('--new-session');
    expect(complete('clfsload verify --time')).toBe('--time-tolerance');
    expect(complete('clfsload help env')).toBe('environment');
    expect(complete('clfsload completion f')).toBe('fish');
    expect(complete(`clfsload load --state-path = ${base.slice(0, -1)}`)).toBe(base);
    expect(complete('clfsload load --state-path =').split(' ').length).toBeGreaterThan(5);
    mkdirSync(join(base, 'two  spaces'), { recursive: true });
    expect(complete(`clfsload ls ${join(base, 'two')}`)).toBe(join(base, 'two  spaces'));
    expect(complete('azcopy lo')).toBe('load');
    expect(complete('azcopy load c')).toBe('clfs');
    expect(complete('azcopy load clfs --new')).toBe('--new-session');
    expect(complete('azcopy clfs ver')).toBe('verify');
    expect(complete('azcopy clfs verify --time')).toBe('--time-tolerance');
    expect((await runProgram('clfsload', ['completion', 'zsh'])).stdout).toMatch(/^#compdef clfsload azcopy\n/);
    const fish = await runProgram('clfsload', ['completion', 'fish']);
    expect(fish.stdout).toContain("complete -c clfsload -n '__fish_seen_subcommand_from verify' -l time-tolerance -d ");
    expect(fish.stdout).toContain("complete -c azcopy -n '__fish_seen_subcommand_from verify' -l time-tolerance -d ");
    expect((await runProgram('clfsload', ['completion', 'csh'])).code).toBe(2);
  });

  it('a mistyped verb or flag gets a suggestion', async () => {
    expect((await runProgram('clfsload', ['exprt'])).stderr).toBe(
      'Error: unknown command "exprt" for "clfsload". Did you mean "export"?\n',
    );
    expect((await runProgram('clfsload', ['ls', '--jsn'])).stderr).toBe(
      'Error: unknown flag: --jsn (Did you mean --json?)\nSee "clfsload ls --help".\n',
    );
    expect((await runProgram('azcopy', ['clfs', 'qqqqq'])).stderr).toBe(
      'Error: unknown command "qqqqq" for "azcopy clfs"\n',
    );
  });

  it('words that objects of the language know are unknown like others', async () => {
    for (const args of [
      ['constructor'],
      ['help', 'toString'],
      ['find', 'c', '--type=constructor'],
      ['completion', 'valueOf'],
    ]) {
      const { code, stderr } = await runProgram('clfsload', args);
      expect(code, args.join(' ')).toBe(2);
      expect(stderr).toMatch(/^Error: (unknown command|invalid argument|completion is there for)/);
    }
  });
});
