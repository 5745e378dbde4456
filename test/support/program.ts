import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

const BIN = new URL('../../bin/', import.meta.url).pathname;

/** How a run of the program ended. */
export interface RunResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Starts one of the programs in `bin/`. The build must be there.
 *
 * @param prefix what its command line begins with, such as what runs it on another host
 */
export function startProgram(
  name: 'azcopy' | 'clfsload' | 'CLFSLoad.py',
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  prefix: readonly string[] = [],
): { readonly child: ChildProcess; readonly done: Promise<RunResult> } {
  const own = name === 'CLFSLoad.py' ? [`${BIN}${name}`] : [process.execPath, `${BIN}${name}`];
  const [command, ...before] = [...prefix, ...own];
  const child = spawn(command, [...before, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  const output = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('latin1').on('data', (text: string) => {
    output.stdout += text;
  });
  child.stderr?.setEncoding('latin1').on('data', (text: string) => {
    output.stderr += text;
  });
  const done = new Promise<RunResult>((resolve) => child.on('close', (code) => resolve({ code, ...output })));
  return { child, done };
}

/** A program on a pseudo-terminal: its output, standard error included, is what a terminal would get. */
export interface TerminalRun {
  readonly done: Promise<RunResult>;
  /** What has come so far. */
  output(): string;
  /** Sends SIGINT to the program. */
  interrupt(): void;
}

/** Runs one of the programs on a pseudo-terminal. */
export function runOnTerminal(name: 'azcopy' | 'clfsload', args: readonly string[], columns = 200): Promise<RunResult> {
  return startOnTerminal(name, args, columns).done;
}

/**
 * Starts one of the programs on a pseudo-terminal.
 *
 * @param reader a command that its standard output is piped to, on the same terminal
 */
export function startOnTerminal(
  name: 'azcopy' | 'clfsload',
  args: readonly string[],
  columns: number,
  reader?: string,
): TerminalRun {
  const quoted = [process.execPath, `${BIN}${name}`, ...args]
    .map((arg) => `'${arg.replaceAll("'", "'\\''")}'`)
    .join(' ');
  const child = spawn(
    'script',
    [
      '-qfec',
      `stty cols ${columns}; ${reader === undefined ? `exec ${quoted}` : `${quoted} | ${reader}`}`,
      '/dev/null',
    ],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let stdout = '';
  child.stdout.setEncoding('latin1').on('data', (text: string) => {
    stdout += text;
  });
  return {
    done: new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr: '' }))),
    output: () => stdout,
    interrupt() {
      // "script" has the program as its only child, and hands no signal on.
      const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'latin1')
        .split(' ')
        .filter((pid) => pid.trim() !== '');
      for (const pid of children) process.kill(Number(pid), 'SIGINT');
    },
  };
}

export function runProgram(
  name: 'azcopy' | 'clfsload' | 'CLFSLoad.py',
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<RunResult> {
  return startProgram(name, args, env).done;
}

/** A line of progress of a verb, off a terminal. */
const PROGRESS = /^[A-Z][a-z]+ ( [\d.]+ % )? \d+ (of \d+ )?(entry|entries|blobs?|inodes?) /;

/** What a verb complained of: its standard error without the lines of progress that a busy machine makes it write. */
export function complaints({ stderr }: RunResult): readonly string[] {
  return stderr.split('\n').filter((line) => line !== '' && !PROGRESS.test(line));
}

/** Loads a tree into a container on disk by the program, without output. @throws when it does not arrive whole */
export async function loadWhole(
  source: string,
  container: string,
  statePath: string,
  ...more: string[]
): Promise<void> {
  const args = ['load', source, container, `--state-path=${statePath}`, '--output-type=none', ...more];
  const { code, stdout, stderr } = await runProgram('clfsload', args);
  if (code !== 0) throw new Error(`The load ended with ${code}: ${stdout}${stderr}`);
}
