import { spawn } from 'node:child_process';
import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { constants as osConstants } from 'node:os';
import { delimiter, join } from 'node:path';
import { print } from './standard-streams.js';

/**
 * Environment variable with the real paths of the programs that have handed this command line on.
 *
 * Several copies of this program in PATH do not recognize each other: without it they would hand the command line round
 * for ever.
 */
const PASSED_ON = 'CLFSLOAD_PASSED_ON';

/** What asks a program what it is. */
const HELP = new Set([undefined, '--help', '-h', 'help', '--version', '-v']);

/**
 * Hands a command line to the next `azcopy` in PATH that is not this program, and that it has not gone through already.
 *
 * @param ownHelp what is said where somebody asks for help and there is none
 * @returns its exit code; 1 with a message when there is none
 */
export async function passOn(argv: readonly string[], ownHelp: () => Promise<string>): Promise<number> {
  const passed = new Set([
    ...(process.env[PASSED_ON] ?? '').split(delimiter).filter((path) => path !== ''),
    realpathSync(process.argv[1]),
  ]);
  const next = findNext(passed);
  if (!next && HELP.has(argv[0])) {
    print(await ownHelp());
    return 0;
  }
  if (!next) {
    process.stderr.write(
      `Error: this azcopy has the commands "load clfs" and "clfs" only, and there is no other azcopy in PATH to hand ${JSON.stringify(argv[0])} to. Install Microsoft's azcopy behind this one in PATH.\n`,
    );
    return 1;
  }
  // The program that is called is added here: an older copy of this one does not add itself, and would be called again.
  passed.add(realpathSync(next));
  try {
    return await run(next, argv, { ...process.env, [PASSED_ON]: [...passed].join(delimiter) });
  } catch (error) {
    process.stderr.write(
      `Error: Cannot start ${JSON.stringify(next)}: ${(error as Error).message}. Remove it from PATH, or mend it.\n`,
    );
    return 1;
  }
}

function run(program: string, argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, argv, { stdio: 'inherit', env });
    const forward = (signal: NodeJS.Signals) => child.kill(signal);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, forward);
    child.on('error', reject);
    // As a shell says it of a program that a signal has ended.
    child.on('exit', (code, signal) => resolve(code ?? 128 + (signal ? osConstants.signals[signal] : 0)));
  });
}

function findNext(passed: ReadonlySet<string>): string | undefined {
  for (const directory of (process.env.PATH ?? '').split(delimiter)) {
    const candidate = join(directory || '.', 'azcopy');
    try {
      accessSync(candidate, constants.X_OK);
      if (statSync(candidate).isFile() && !passed.has(realpathSync(candidate))) return candidate;
    } catch {
      // Not here: go on.
    }
  }
  return undefined;
}
