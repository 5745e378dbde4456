import type { ChildProcess } from 'node:child_process';
import { type RunResult, startProgram } from './program.js';

/** A program that runs, and what it has said so far. */
export interface Running {
  readonly child: ChildProcess;
  readonly done: Promise<RunResult>;
  /** Waits until it has said something. @throws Error when it ends without it */
  said(what: RegExp): Promise<void>;
  readonly output: () => string;
}

/** Starts the program and listens to it. @param prefix what its command line begins with */
export function run(args: readonly string[], env: NodeJS.ProcessEnv = {}, prefix: readonly string[] = []): Running {
  const { child, done } = startProgram('clfsload', args, env, prefix);
  let output = '';
  let ended = false;
  const wakes: (() => void)[] = [];
  const wake = () => {
    for (const call of wakes.splice(0)) call();
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (text: string) => {
      output += text;
      wake();
    });
  }
  void done.then(() => {
    ended = true;
    wake();
  });
  return {
    child,
    done,
    output: () => output,
    async said(what) {
      while (!what.test(output)) {
        if (ended) throw new Error(`It has ended and not said ${what}: ${output}`);
        await new Promise<void>((resolve) => wakes.push(resolve));
      }
    },
  };
}

/** Waits until something is so. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20));
}
