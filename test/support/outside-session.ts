import { type ChildProcess, spawn } from 'node:child_process';
import { isRoot } from './tree.js';

const PROGRAM = new URL('../../bin/clfsload', import.meta.url).pathname;
const LONGEST_MS = 120_000;
const AS_USER = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];

/**
 * The moment that something is counted from: the start of the process, or a phase of the load, or 3 s when that does
 * not come.
 */
export const MOMENTS = ['start', 'Transfer', 'Reconcile', 'Cleanup', 'Finalize'] as const;
export type Moment = (typeof MOMENTS)[number];

export interface Timed {
  readonly moment: Moment;
  readonly delayMs: number;
  act(child: ChildProcess): void;
}

export interface SessionEnd {
  readonly code: number | null;
  readonly output: string;
  /** It had to be killed since it did not end. */
  readonly hung: boolean;
}

/** Runs the program as an ordinary user; each act comes at its time, if the process still runs then. */
export async function runSession(
  args: readonly string[],
  acts: readonly Timed[] = [],
  asUser = true,
): Promise<SessionEnd> {
  const [command, ...rest] = [...(isRoot && asUser ? AS_USER : []), process.execPath, PROGRAM, ...args] as [
    string,
    ...string[],
  ];
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  const timers: NodeJS.Timeout[] = [];
  let output = '';
  let hung = false;
  const waiting = new Set(MOMENTS);
  const reached = (moment: Moment) => {
    if (!waiting.delete(moment)) return;
    for (const timed of acts)
      if (timed.moment === moment) timers.push(setTimeout(() => timed.act(child), timed.delayMs));
  };
  const hear = (text: string) => {
    output += text;
    for (const moment of waiting) if (output.includes(`${moment} phase has started`)) reached(moment);
  };
  child.stdout.setEncoding('latin1').on('data', hear);
  child.stderr.setEncoding('latin1').on('data', hear);
  reached('start');
  timers.push(
    setTimeout(() => {
      hung = true;
      child.kill('SIGKILL');
    }, LONGEST_MS),
  );
  timers.push(setTimeout(() => MOMENTS.forEach(reached), 3000));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  for (const timer of timers) clearTimeout(timer);
  return { code, output, hung };
}
