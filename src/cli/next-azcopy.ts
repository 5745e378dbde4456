import { spawn } from 'node:child_process';
import { accessSync, constants, realpathSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * Hands a command line to the next `azcopy` in PATH that is not this program.
 *
 * @returns its exit code; 1 with a message when there is none
 */
export function passOn(argv: readonly string[]): Promise<number> {
  const next = findNext();
  if (!next) {
    const command = argv[0] === undefined ? 'no command' : JSON.stringify(argv[0]);
    process.stderr.write(
      `Error: this azcopy has the commands "load clfs" and "clfs" only, and there is no other azcopy in PATH to hand ${command} to. Install Microsoft's azcopy behind this one in PATH.\n`,
    );
    return Promise.resolve(1);
  }
  return new Promise((resolve, reject) => {
    const child = spawn(next, argv, { stdio: 'inherit' });
    const forward = (signal: NodeJS.Signals) => child.kill(signal);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, forward);
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? (signal ? 1 : 0)));
  });
}

function findNext(): string | undefined {
  const own = realpathSync(process.argv[1]);
  for (const directory of (process.env.PATH ?? '').split(delimiter)) {
    const candidate = join(directory || '.', 'azcopy');
    try {
      accessSync(candidate, constants.X_OK);
      if (realpathSync(candidate) !== own) return candidate;
    } catch {
      // Not here: go on.
    }
  }
  return undefined;
}
