import type { ChildProcess } from 'node:child_process';
import { expect } from 'vitest';
import { inTime, until as untilInTime } from './in-time.js';
import { type RunResult, startProgram } from './program.js';

/** A program that runs, and what it has said so far. */
export interface Running {
  readonly child: ChildProcess;
  /** Resolves when it has ended, whenever that is. */
  readonly done: Promise<RunResult>;
  /** Waits until it has ended. @throws Error with what all programs of the test have said, when it does not */
  ended(): Promise<RunResult>;
  /** Waits until it has said something. @throws Error when it ends without it; as {@link ended} does */
  said(what: RegExp): Promise<void>;
  readonly output: () => string;
}

/** Programs that were started, by the test that did; those of hooks belong to the test before or after. */
const everybody = new Map<Running, string | undefined>();

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
  const say = async (what: RegExp) => {
    while (!what.test(output)) {
      if (ended) throw new Error(`It has ended and not said ${what}. ${outputs()}`);
      await new Promise<void>((resolve) => wakes.push(resolve));
    }
  };
  const name = `clfsload ${args[0]} (${child.pid})`;
  const running: Running = {
    child,
    done,
    output: () => output,
    ended: () => inTime(`${name} ends`, done, outputs),
    said: (what) => inTime(`${name} says ${what}`, say(what), outputs),
  };
  everybody.set(running, expect.getState().currentTestName);
  return running;
}

/** What all programs have said that this test has started, or its hooks. */
export function outputs(): string {
  const now = expect.getState().currentTestName;
  return [...everybody]
    .filter(([{ child }, test]) => test === now || child.exitCode === null)
    .map(([{ child, output }]) => `${child.spawnargs.join(' ')}\nexit ${child.exitCode}; has said:\n${output()}`)
    .join('\n');
}

/** Waits until something is so. @throws Error with what all programs of the test have said, when it does not become so */
export function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  return untilInTime(isSo, outputs);
}
